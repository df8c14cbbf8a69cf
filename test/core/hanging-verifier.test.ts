import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createHashQueue } from '../../src/core/passwords/hash-queue.js'
import { createPasswords } from '../../src/core/passwords/passwords.js'
import type { LegacyVerifier } from '../../src/index.js'
import { cheap, password } from '../helpers/build.js'
import { times } from '../helpers/hostile.js'

test('legacy verifier: a timeout after five seconds frees the hash slot and refuses the password', async (t) => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const asked: string[] = []
  const hanging: LegacyVerifier = {
    matches: (hash) => hash.startsWith('old:'),
    verify(hash) {
      asked.push(hash)
      return new Promise(() => {})
    },
  }
  // One slot: while it is taken, no one can sign in.
  const passwords = await createPasswords(cheap, [hanging], createHashQueue(1, 10))
  const current = await passwords.hash(password)
  /** Runs everything that needs no clock. */
  const settle = async () => {
    for (let i = 0; i < 50; i++) await nextTurn()
  }
  const pass = async (milliseconds: number) => {
    now += milliseconds
    t.mock.timers.tick(milliseconds)
    await settle()
  }

  /** Argon2 and pauses between hashes need real time, which the mocked clocks don't control. */
  const until = async (isSo: () => boolean) => {
    const lastMs = Date.now() + 30_000
    while (!isSo() && Date.now() < lastMs) await settle()
    assert.ok(isSo(), JSON.stringify([asked, results]))
  }

  const results: unknown[] = []
  const check = (name: string, hash: string) =>
    void passwords.check(hash, password).then(
      ({ ok }) => results.push([name, ok]),
      (error: Error) => results.push([name, error]),
    )
  check('hangs', 'old:ann')
  check('waits', current)
  await settle()
  await pass(4900)
  assert.deepEqual([asked, results], [['old:ann'], []])
  await pass(200)
  await until(() => results.length === 2)
  assert.deepEqual(results, [
    ['hangs', false],
    ['waits', true],
  ])

  // Several hanging verifiers time out one after another.
  results.length = 0
  for (const i of times(3, (index) => index)) check(`flood ${i}`, `old:${i}`)
  check('last', current)
  for (let i = 0; i < 3; i++) {
    await until(() => asked.length === i + 2)
    await pass(5001)
    await until(() => results.length === i + 1)
  }
  await until(() => results.length === 4)
  assert.deepEqual(results, [
    ['flood 0', false],
    ['flood 1', false],
    ['flood 2', false],
    ['last', true],
  ])
})
