import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createHashQueue } from '../../src/core/passwords/hash-queue.js'
import { times } from '../helpers/hostile.js'

/** Occupies the event loop. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

/** Runs a hash and another one that waits for it. Tells whether the second follows at once. */
async function followsAtOnce(hash: () => Promise<void>): Promise<boolean> {
  const queue = createHashQueue(1, 1)
  let hasStarted = false
  const first = queue.run(hash)
  const second = queue.run(async () => {
    hasStarted = true
  })
  await first
  // Only promises: no timer can end in between.
  for (let turn = 0; turn < 10; turn++) await null
  const atOnce = hasStarted
  await second
  assert.equal(hasStarted, true)
  return atOnce
}

/** Tells whether it happens in one of 100 runs: other work of the process may spoil some. */
async function happens(once: () => Promise<boolean>): Promise<boolean> {
  for (let run = 0; run < 100; run++) if (await once()) return true
  return false
}

test('hash queue: the next hash follows at once while the event loop is idle', async () => {
  assert.equal(await happens(() => followsAtOnce(() => delay(20))), true)
})

test('hash queue: the next hash gives way to a busy event loop, and runs then', async () => {
  assert.equal(await followsAtOnce(async () => work(50)), false)
})

test('hash queue: after a hash of less than 5 ms the next one follows at once', async () => {
  assert.equal(await happens(() => followsAtOnce(async () => work(1))), true)
})

test('hash queue: a hash that gives way runs although timers are mocked', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  assert.equal(await followsAtOnce(async () => work(50)), false)
})

test('hash queue: with nobody waiting, a hash leaves its slot at once to the next request', async () => {
  const queue = createHashQueue(1, 0)
  for (const i of times(5, (i) => i)) {
    const hashed = await queue.run(async () => {
      work(20)
      return i
    })
    assert.equal(hashed, i)
  }
})

test('hash queue: a failed hash hands its slot over, too', async () => {
  const queue = createHashQueue(1, 1)
  const failing = queue.run(async () => {
    work(20)
    throw new Error('cannot hash')
  })
  const next = queue.run(async () => 'hashed')
  await assert.rejects(failing, /cannot hash/)
  assert.equal(await next, 'hashed')
  assert.equal(await queue.run(async () => 'again'), 'again')
})

test('hash queue: beside a busy event loop, 100 hashes in parallel all run, never more than allowed', async () => {
  const queue = createHashQueue(3, 97)
  let running = 0
  let most = 0
  const hash = async () => {
    most = Math.max(most, ++running)
    await delay(1)
    work(5)
    running--
  }
  await Promise.all(times(100, () => queue.run(hash)))
  assert.equal(running, 0)
  assert.equal(most, 3)
})
