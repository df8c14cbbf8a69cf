import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { createDeadline, withDeadline } from '../../src/lib/deadline.js'
import { moduleUrl, nodeFlags } from '../helpers/child.js'

const never = () => new Promise<never>(() => {})
const same = (cause: unknown) => cause

test('deadline: a result or an error in time is passed on', async () => {
  const deadline = createDeadline(60_000)
  assert.equal(await withDeadline(deadline, async () => 'result', 'It', same), 'result')
  const failure = (cause: unknown) => new Error('ours', { cause })
  const cause = new Error('theirs')
  await assert.rejects(
    withDeadline(deadline, () => Promise.reject(cause), 'It', failure),
    { message: 'ours', cause },
  )
  const atOnce = () => {
    throw cause
  }
  await assert.rejects(withDeadline(deadline, atOnce, 'It', failure), { message: 'ours', cause })
})

test('deadline: calls that take too long are rejected in the order in which they began', async () => {
  const deadline = createDeadline(5)
  const order: number[] = []
  const waits = [1, 2, 3].map((n) =>
    withDeadline(deadline, never, 'It', same).catch((error) => order.push(n) && error),
  )
  await withDeadline(deadline, async () => {}, 'It', same)
  const errors = await Promise.all(waits)
  assert.deepEqual(order, [1, 2, 3])
  for (const { code, message } of errors as { code: string; message: string }[]) {
    assert.equal(code, 'CRUDAUTH_DEADLINE')
    assert.equal(message, 'It did not answer within 5 ms')
  }
  await assert.rejects(withDeadline(deadline, never, 'It', same), { code: 'CRUDAUTH_DEADLINE' })
})

test('deadline: a late result or error is ignored', async () => {
  const deadline = createDeadline(1)
  const late: ((error?: Error) => void)[] = []
  const start = () =>
    new Promise<void>((resolve, reject) =>
      late.push((error) => (error ? reject(error) : resolve())),
    )
  for (const error of [undefined, new Error('late')]) {
    await assert.rejects(withDeadline(deadline, start, 'It', same), { code: 'CRUDAUTH_DEADLINE' })
    late.pop()?.(error)
    await new Promise((resolve) => setImmediate(resolve))
  }
})

test('deadline: a pending wait keeps the process alive, an ended one does not', () => {
  const file = moduleUrl('src/lib/deadline.ts')
  const run = (script: string) =>
    execFileSync(
      process.execPath,
      [
        ...nodeFlags,
        '--input-type=module',
        '-e',
        `import { createDeadline } from '${file}'\n${script}`,
      ],
      {
        encoding: 'utf8',
        timeout: 60_000,
      },
    )
  assert.equal(run("createDeadline(20).begin(() => console.log('expired'))"), 'expired\n')
  // One hour: if the process waited for it, the timeout of this call would end it.
  assert.equal(
    run('const deadline = createDeadline(3_600_000); deadline.end(deadline.begin(() => {}))'),
    '',
  )
  const again = 'const deadline = createDeadline(20); deadline.end(deadline.begin(() => {})); '
  assert.equal(run(`${again}deadline.begin(() => console.log('expired'))`), 'expired\n')
})
