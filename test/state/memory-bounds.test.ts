import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { memorySessions } from '../../src/state/memory/sessions.js'

test('memory sessions: the bound counts every session of every user', async () => {
  const store = memorySessions(4)
  const now = Date.now()
  for (const user of ['a', 'b', 'c', 'd'])
    for (let index = 0; index < 3; index++)
      await store.create(
        user,
        {
          handle: `${user}${index}`,
          userId: `s${user}`,
          epoch: '',
          csrfDigest: '',
          createdAtMs: now,
          lastActivityAtMs: now + index,
          idleMs: 60_000,
          absoluteExpiresAtMs: now + 60_000,
          authenticatedAtMs: now,
          sudoUntilMs: 0,
          remember: false,
          client: '',
          metadata: '',
        },
        Number.POSITIVE_INFINITY,
      )
  const kept = await Promise.all(['a', 'b', 'c', 'd'].map((user) => store.list(user)))
  assert.deepEqual(
    kept.map(({ length }) => length),
    [0, 0, 0, 3],
  )
})

test('memory one-time values: the bound counts every value of every group', async () => {
  const store = memoryOneTime(4)
  for (const group of ['a', 'b', 'c', 'd'])
    for (let index = 0; index < 3; index++)
      await store.put(`${group}${index}`, 'value', 60_000, group)
  let kept = 0
  for (const group of ['a', 'b', 'c', 'd'])
    for (let index = 0; index < 3; index++)
      if ((await store.peek(`${group}${index}`, group)) !== null) kept++
  assert.equal(kept, 3)
})
