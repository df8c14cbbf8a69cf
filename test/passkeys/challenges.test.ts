import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { createKeyring } from '../../src/crypto/keys.js'
import { createSeal } from '../../src/crypto/seal.js'
import { createPasskeyChallenges } from '../../src/features/passkeys/challenges.js'
import type { OneTimeStore } from '../../src/index.js'
import { secret } from '../helpers/build.js'

const origins = ['https://app.example.com', 'https://admin.example.com']
const settings = { rpId: 'example.com', origins, challengeSeconds: 60 }
const seal = createSeal(createKeyring(secret)('passkey-challenge'))
const from = (origin?: string) => ({ headers: { origin } }) as FastifyRequest
const binding = { purpose: 'sudo', user: 'n1', of: 'session' } as const
const begun = { ...binding, challenge: 'A'.repeat(43) }

/** Values that never expire, as a store without a clock has them. */
function openStore() {
  const values = new Map<string, string>()
  const store = {
    put: async (key: string, value: string) => void values.set(key, value),
    async take(key: string) {
      const value = values.get(key) ?? null
      values.delete(key)
      return value
    },
  } as unknown as OneTimeStore
  return { values, challenges: createPasskeyChallenges({ store, seal, settings }), store }
}

describe('challenges of passkeys', () => {
  test('are taken once, with everything that was said at the beginning', async () => {
    const { challenges } = openStore()
    const id = await challenges.begin(from(), begun)
    const taken = await challenges.take(id, binding)
    assert.deepEqual(taken, { ...begun, rpId: 'example.com', origins })
    assert.equal(await challenges.take(id, binding), null)
  })

  test('are used up by a wrong binding', async () => {
    for (const wrong of [
      { purpose: 'second-factor' },
      { user: 'n2' },
      { user: null },
      { of: 'another session' },
      { of: '' },
    ] as const) {
      const { challenges } = openStore()
      const id = await challenges.begin(from(), begun)
      assert.equal(await challenges.take(id, { ...binding, ...wrong }), null)
      assert.equal(await challenges.take(id, binding), null)
    }
  })

  test('expire by the clock of the app as well', async (t) => {
    const { challenges } = openStore()
    const ids = [await challenges.begin(from(), begun), await challenges.begin(from(), begun)]
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 59_000 })
    assert.ok(await challenges.take(ids[0] ?? '', binding))
    t.mock.timers.tick(1001)
    assert.equal(await challenges.take(ids[1] ?? '', binding), null)
  })

  test('say nothing in the store, and are worth nothing under another key', async () => {
    const { challenges, values } = openStore()
    const ids = [await challenges.begin(from(), begun), await challenges.begin(from(), begun)]
    const [[one, first] = ['', ''], [two, second] = ['', '']] = [...values]
    assert.ok(!`${one}${first}`.includes(ids[0] ?? '') && !first.includes(begun.challenge))
    // Someone who can write to the store revives a used challenge.
    values.set(two, first)
    assert.equal(await challenges.take(ids[1] ?? '', binding), null)
    values.set(two, second.slice(0, -1) + (second.endsWith('A') ? 'B' : 'A'))
    assert.equal(await challenges.take(ids[1] ?? '', binding), null)
  })

  test('end when the configuration no longer has their relying party or origin', async () => {
    const { challenges, store } = openStore()
    const [admin = '', apps = ''] = origins
    for (const [origin, changed, isValid] of [
      [apps, {}, true],
      [undefined, {}, true],
      [admin, { origins: [admin] }, true],
      [apps, { origins: [admin] }, false],
      [undefined, { origins: [admin] }, false],
      [apps, { rpId: 'app.example.com' }, false],
    ] as const) {
      const later = createPasskeyChallenges({ store, seal, settings: { ...settings, ...changed } })
      const id = await challenges.begin(from(origin), begun)
      assert.equal((await later.take(id, binding)) !== null, isValid)
    }
  })

  test('belong to the origin that asked, if it is one of the app', async () => {
    const { challenges } = openStore()
    for (const [origin, expected] of [
      [origins[0], [origins[0]]],
      ['https://evil.example', origins],
      ['null', origins],
      [undefined, origins],
    ] as const) {
      const id = await challenges.begin(from(origin), begun)
      assert.deepEqual((await challenges.take(id, binding))?.origins, expected)
    }
  })
})
