import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { createKey } from '../helpers/authenticator-keys.js'
import { Client } from '../helpers/client.js'
import { hookedPasskeys, once } from '../helpers/hooked-passkeys.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { type PasskeyPlace, passkeysEverywhere } from '../helpers/passkey-places.js'
import { assertionOf, buildPasskeys, passkeyLoginOf, passkeyUser } from '../helpers/passkeys.js'

const bad = 'CRUDAUTH_BAD_CREDENTIALS'

interface Report {
  readonly username: string
  readonly counter: number
  readonly storedCounter: number
}

/** An app without a lockout that collects what it reports as suspicious. */
async function start(t: TestContext, place: PasskeyPlace) {
  noUnhandledRejections(t)
  const { auth, store } = await place.open(t)
  const reports: Report[] = []
  const hooks = {
    onPasskeySuspicious(
      user: object,
      {
        counter,
        storedCounter,
        passkey,
      }: { counter: number; storedCounter: number; passkey: object },
    ) {
      assert.ok(!('credentialId' in passkey) && !('hashedPassword' in user))
      reports.push({ username: (user as { username: string }).username, counter, storedCounter })
    },
  }
  const app = await buildPasskeys(t, { ...auth, lockout: false, hooks: hooks as never }, { store })
  return { app, store, reports }
}

const send = (app: Client['app'], proof: object) =>
  new Client(app).post('/passkeys/login/verify', proof)

for (const place of passkeysEverywhere) {
  describe(`${place.name}: signature counters`, () => {
    test('100 parallel uses of one challenge: one signs in', async (t) => {
      for (const counts of [true, false]) {
        const { app, reports } = await start(t, place)
        const { authenticator } = await passkeyUser(app, 'ada', { counts })
        const proof = await assertionOf(new Client(app), authenticator)
        const answered = await Promise.all(times(100, () => send(app, proof)))
        assert.deepEqual(statuses(answered), { 200: 1, 401: 99 })
        assert.deepEqual(reports, [], 'the challenge is used up, before a counter is judged')
      }
    })

    test('a copy that lags behind is refused and reported, also when both are used at once', async (t) => {
      const { app, store, reports } = await start(t, place)
      const { authenticator } = await passkeyUser(app, 'ada')
      const copy = authenticator.clone()
      answers(await passkeyLoginOf(app, authenticator), 200)
      refusesOwn(await passkeyLoginOf(app, copy), bad)
      assert.deepEqual(reports, [{ username: 'ada', counter: 1, storedCounter: 1 }])
      reports.length = 0
      // Now both are at 1. Of each two equal counters, one signs in at most.
      const pairs = await Promise.all(
        times(20, async () => [
          await assertionOf(new Client(app), authenticator),
          await assertionOf(new Client(app), copy),
        ]),
      )
      const answered = await Promise.all(pairs.flat().map((proof) => send(app, proof)))
      const signedIn = answered.filter(({ statusCode }) => statusCode === 200).length
      assert.ok(signedIn >= 1 && signedIn <= 20, String(signedIn))
      assert.equal(reports.length, 40 - signedIn, 'each refused one is reported')
      const [passkey] = await store.listByUser(1)
      assert.equal(passkey?.counter, 21)
    })

    test('passkeys at 0 sign in any number of times, also in parallel', async (t) => {
      const { app, reports } = await start(t, place)
      const { authenticator } = await passkeyUser(app, 'ada', { counts: false })
      const proofs = await Promise.all(times(20, () => assertionOf(new Client(app), authenticator)))
      const answered = await Promise.all(proofs.map((proof) => send(app, proof)))
      assert.deepEqual(statuses(answered), { 200: 20 })
      assert.deepEqual(reports, [])
    })

    test('counters up to 2^32 - 1, and never back to 0', async (t) => {
      const { app, store, reports } = await start(t, place)
      const { authenticator } = await passkeyUser(app, 'ada')
      const at = (counter: number) => passkeyLoginOf(app, authenticator, { forged: { counter } })
      for (const counter of [0, 1, 2 ** 31, 2 ** 32 - 1]) answers(await at(counter), 200)
      for (const counter of [2 ** 32 - 1, 0, 5]) refusesOwn(await at(counter), bad)
      assert.deepEqual(
        reports.map(({ counter, storedCounter }) => [counter, storedCounter]),
        [2 ** 32 - 1, 0, 5].map((counter) => [counter, 2 ** 32 - 1]),
      )
      assert.equal((await store.listByUser(1))[0]?.counter, 2 ** 32 - 1)
    })

    test('nobody reports a passkey as copied without its signature', async (t) => {
      const { app, reports } = await start(t, place)
      const { authenticator } = await passkeyUser(app, 'ada')
      answers(await passkeyLoginOf(app, authenticator, { forged: { counter: 9 } }), 200)
      for (const forged of [
        { counter: 1, key: createKey('ES256') },
        { counter: 1, origin: 'https://evil.example' },
        { counter: 1, userHandle: undefined },
        { counter: 1, flags: { up: false } },
      ])
        refusesOwn(await passkeyLoginOf(app, authenticator, { forged }), bad)
      assert.deepEqual(reports, [])
    })
  })
}

describe('between the signature and the write', () => {
  test('a passkey that is removed signs nobody in', async (t) => {
    const hooked = hookedPasskeys()
    const app = await buildPasskeys(t, {}, { store: hooked.store })
    const { client, authenticator } = await passkeyUser(app, 'ada')
    once(hooked, 'findByCredentialId', () => hooked.store.deleteAllOfUser(1))
    const response = await passkeyLoginOf(app, authenticator)
    refusesOwn(response, bad)
    assert.deepEqual(answers(await client.get('/passkeys'), 200), [])
  })

  test('a passkey that was used with a higher counter is judged by it', async (t) => {
    const hooked = hookedPasskeys()
    const reports: number[] = []
    const hooks = {
      onPasskeySuspicious: (_user: object, { storedCounter }: { storedCounter: number }) =>
        void reports.push(storedCounter),
    }
    const app = await buildPasskeys(t, { hooks: hooks as never }, { store: hooked.store })
    const { authenticator } = await passkeyUser(app, 'ada')
    const use = { counter: 7, backedUp: false, lastUsedAt: new Date() }
    once(hooked, 'findByCredentialId', async () => {
      const [passkey] = await hooked.store.listByUser(1)
      assert.ok(await hooked.store.compareAndSetCounter(passkey?.id ?? '', 0, use))
    })
    refusesOwn(await passkeyLoginOf(app, authenticator), bad)
    assert.deepEqual(reports, [7])
  })
})
