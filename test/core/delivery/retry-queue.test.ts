import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../../../scripts/source-graph.js'
import { createDeliveryQueue, type QueueLimits } from '../../../src/core/delivery/retry-queue.js'
import { moduleUrl, nodeFlags } from '../../helpers/child.js'
import { deferred, limits } from '../../helpers/delivery.js'

const hang = () => new Promise<void>(() => {})

/** A queue that records its reports. */
function reporting(overrides: Partial<QueueLimits> = {}) {
  const reports: string[] = []
  const queue = createDeliveryQueue<string>(
    { ...limits, ...overrides },
    {
      onRetry: (label, cause, attempts) =>
        reports.push(`retry ${label} ${(cause as Error).message} ${attempts}`),
      onFailed: (label, cause, attempts) =>
        reports.push(`failed ${label} ${(cause as Error).message} ${attempts}`),
      onDropped: (label, reason, attempts) =>
        reports.push(`dropped ${label} ${reason} ${attempts}`),
    },
  )
  return { ...queue, reports }
}

test('delivery queue: work starts after the current tick, never in the caller', async () => {
  const queue = reporting()
  const order: string[] = []
  queue.defer('a', () => void order.push('work'))
  order.push('caller')
  await Promise.resolve()
  order.push('later in the tick')
  await queue.idle()
  assert.deepEqual(order, ['caller', 'later in the tick', 'work'])
})

test('delivery queue: work that throws or rejects is retried until it succeeds', async () => {
  const queue = reporting()
  let attempts = 0
  queue.defer('a', () => {
    attempts++
    if (attempts === 1) throw new Error('sync')
    if (attempts === 2) return Promise.reject(new Error('async'))
  })
  await queue.idle()
  assert.equal(attempts, 3)
  assert.deepEqual(queue.reports, ['retry a sync 1', 'retry a async 2'])
})

test('delivery queue: a message is given up after its last attempt and reported once', async () => {
  const queue = reporting()
  queue.defer('a', async () => {
    throw new Error('no')
  })
  await queue.idle()
  assert.deepEqual(queue.reports, ['retry a no 1', 'retry a no 2', 'failed a no 3'])
})

test('delivery queue: a permanent failure is not retried', async () => {
  const queue = reporting()
  queue.defer('a', async () => {
    throw Object.assign(new Error('no'), { permanent: true })
  })
  await queue.idle()
  assert.deepEqual(queue.reports, ['failed a no 1'])
})

test('delivery queue: retry delays grow fourfold up to the maximum, plus jitter', async (t) => {
  const delays: number[] = []
  const { setTimeout: original } = globalThis
  t.mock.method(globalThis, 'setTimeout', (run: () => void, delayMs: number) => {
    if (delayMs === limits.attemptTimeoutMs) return original(run, delayMs)
    delays.push(delayMs)
    return original(run, 1)
  })
  const queue = reporting({ attempts: 6, firstRetryMs: 100, maxRetryMs: 5000 })
  queue.defer('a', async () => {
    throw new Error('no')
  })
  await queue.idle()
  assert.equal(delays.length, 5)
  for (const [at, delay] of [100, 400, 1600, 5000, 5000].entries()) {
    const actual = delays[at] as number
    assert.ok(actual >= delay && actual <= delay * 1.5, `${at}: ${actual}`)
  }
})

test('delivery queue: attempts in progress never exceed the concurrency', async () => {
  const queue = reporting({ concurrency: 2 })
  let running = 0
  let most = 0
  const done: number[] = []
  for (let i = 0; i < 6; i++) {
    queue.defer(`${i}`, async () => {
      most = Math.max(most, ++running)
      await sleep(1)
      running--
      done.push(i)
    })
  }
  await queue.idle()
  assert.equal(done.length, 6)
  assert.equal(most, 2)
})

test('delivery queue: an attempt that hangs times out and frees its slot', async () => {
  const queue = reporting({ concurrency: 1, attemptTimeoutMs: 100, attempts: 1 })
  const done: string[] = []
  queue.defer('hangs', hang)
  queue.defer('a', () => void done.push('a'))
  await queue.idle()
  assert.deepEqual(done, ['a'])
  assert.deepEqual(queue.reports, ['failed hangs not finished within 100 ms 1'])
})

test('delivery queue: a timeout aborts the signal, and a late result is ignored', async () => {
  const queue = reporting({ attemptTimeoutMs: 20 })
  const late = [deferred(), deferred(), deferred()]
  const signals: AbortSignal[] = []
  queue.defer('a', (signal) => {
    signals.push(signal)
    return late[signals.length - 1]?.promise
  })
  await queue.idle()
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, true, true],
  )
  const before = [...queue.reports]
  late[0]?.reject(new Error('late, and unhandled it would end the process'))
  late[1]?.resolve()
  await sleep(5)
  assert.deepEqual(queue.reports, before)
  assert.equal(before.at(-1), 'failed a not finished within 20 ms 3')
})

test('delivery queue: new work is dropped while the queue is full', async () => {
  const queue = reporting({ maxQueued: 2 })
  const done: string[] = []
  for (const label of ['a', 'b', 'c']) queue.defer(label, () => void done.push(label))
  await queue.idle()
  assert.deepEqual(done, ['a', 'b'])
  assert.deepEqual(queue.reports, ['dropped c full 0'])
  queue.defer('d', () => void done.push('d'))
  await queue.idle()
  assert.equal(done.at(-1), 'd', 'there is room again')
})

test('delivery queue: work that waits for a retry counts towards maxQueued', async (t) => {
  const queue = reporting({ maxQueued: 1, firstRetryMs: 1e6, maxRetryMs: 1e6 })
  t.after(() => queue.close(0))
  const failed = deferred()
  queue.defer('a', () => {
    setImmediate(failed.resolve)
    throw new Error('no')
  })
  await failed.promise
  queue.defer('b', () => {})
  assert.deepEqual(queue.reports, ['retry a no 1', 'dropped b full 0'])
})

test('delivery queue: a listener that throws does not stop retries', async () => {
  const fail = () => {
    throw new Error('listener')
  }
  const queue = createDeliveryQueue<string>(
    { ...limits, maxQueued: 1 },
    { onRetry: fail, onFailed: fail, onDropped: fail },
  )
  let attempts = 0
  queue.defer('a', () => {
    attempts++
    throw new Error('no')
  })
  queue.defer('b', () => {})
  await queue.idle()
  assert.equal(attempts, 3)
})

test('delivery queue: close finishes queued work and drops new work', async () => {
  const queue = reporting({ concurrency: 1 })
  const done: string[] = []
  queue.defer('a', async () => {
    await sleep(5)
    done.push('a')
  })
  queue.defer('b', () => void done.push('b'))
  const closed = queue.close(60_000)
  queue.defer('c', () => void done.push('c'))
  assert.equal(queue.close(0), closed, 'a second call returns the same promise')
  await closed
  assert.deepEqual(done, ['a', 'b'])
  assert.deepEqual(queue.reports, ['dropped c closed 0'])
})

test('delivery queue: close retries waiting work immediately and only once', async () => {
  const queue = reporting({ firstRetryMs: 1e6, maxRetryMs: 1e6, attempts: 10 })
  const waiting = deferred()
  let mended = 0
  queue.defer('mended', () => {
    if (++mended === 1) throw new Error('no')
  })
  let broken = 0
  queue.defer('broken', () => {
    if (++broken === 1) setImmediate(waiting.resolve)
    throw new Error('no')
  })
  await waiting.promise
  await queue.close(60_000)
  assert.deepEqual([mended, broken], [2, 2])
  assert.deepEqual(queue.reports, ['retry mended no 1', 'retry broken no 1', 'failed broken no 2'])
})

test('delivery queue: work that fails during close is retried immediately', async () => {
  const queue = reporting({ firstRetryMs: 1e6, maxRetryMs: 1e6 })
  const started = deferred()
  const first = deferred()
  let attempts = 0
  queue.defer('a', () => {
    started.resolve()
    if (++attempts === 1) return first.promise
  })
  await started.promise
  const closed = queue.close(60_000)
  first.reject(new Error('no'))
  await closed
  assert.equal(attempts, 2)
})

test('delivery queue: close stops at its deadline, aborts attempts and reports dropped work', async () => {
  const queue = reporting({ concurrency: 1 })
  const started = deferred<AbortSignal>()
  queue.defer('hangs', (signal) => {
    started.resolve(signal)
    return hang()
  })
  queue.defer('waits', () => assert.fail('this work must not start'))
  const signal = await started.promise
  await queue.close(10)
  assert.ok(signal.aborted)
  assert.deepEqual(queue.reports, ['dropped hangs closed 1', 'dropped waits closed 0'])
  await queue.idle()
})

test('delivery queue: only close keeps the process alive, not retries or hanging attempts', () => {
  const source = moduleUrl('src/core/delivery/retry-queue.ts')
  const run = (code: string) =>
    spawnSync(process.execPath, [...nodeFlags, '--input-type=module', '-e', code], {
      cwd: root,
      encoding: 'utf8',
      timeout: 60_000,
    })
  const limitsOf = { ...limits, firstRetryMs: 1e6, maxRetryMs: 1e6, attemptTimeoutMs: 1e6 }
  const head = `const { createDeliveryQueue } = await import('${source}')
    const queue = createDeliveryQueue(${JSON.stringify(limitsOf)})
    queue.defer('fails', () => { throw new Error('no') })
    queue.defer('hangs', () => new Promise(() => {}))`
  const left = run(`${head}\nsetTimeout(() => console.log('ran'), 20)`)
  assert.deepEqual([left.status, left.signal, left.stdout], [0, null, 'ran\n'], left.stderr)
  const closed = run(
    `${head}\nsetTimeout(async () => { await queue.close(50); console.log('closed') }, 20)`,
  )
  assert.deepEqual([closed.status, closed.stdout], [0, 'closed\n'], closed.stderr)
})
