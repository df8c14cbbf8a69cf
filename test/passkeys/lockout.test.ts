import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { Client } from '../helpers/client.js'
import { statuses, times } from '../helpers/hostile.js'
import { challengeOf, enroll, mfaOptions } from '../helpers/mfa.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import { assertionOf, buildPasskeys, passkeyLoginOf, passkeyUser } from '../helpers/passkeys.js'

const bad = 'CRUDAUTH_BAD_CREDENTIALS'
const locked = 'CRUDAUTH_LOCKED_OUT'
const lockout = { maxAttemptsPerIp: 4 } as const
const forged = { origin: 'https://evil.example' }

for (const place of passkeyPlaces) {
  describe(`${place.name}: attempts of an address`, () => {
    test('wrong passkeys lock it, for passwords as well, but no account', async (t) => {
      const { auth, store } = await place.open(t)
      const locks: unknown[] = []
      const app = await buildPasskeys(
        t,
        {
          ...auth,
          lockout,
          hooks: { onLockout: ({ identifier, reason }) => void locks.push({ identifier, reason }) },
        },
        { store },
      )
      const { authenticator } = await passkeyUser(app, 'ada')
      for (const _ of times(4, Number))
        refusesOwn(await passkeyLoginOf(app, authenticator, { forged }), bad)
      refusesOwn(await passkeyLoginOf(app, authenticator, { forged }), locked)
      refusesOwn(await passkeyLoginOf(app, authenticator), locked)
      refusesOwn(await new Client(app).login('ada'), locked)
      assert.deepEqual(locks, [{ identifier: '', reason: 'address' }])
      const elsewhere = new Client(app, '', { remoteAddress: '10.9.9.9' })
      answers(await elsewhere.login('ada'), 200)
    })

    test('a success takes back its own attempt only', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, lockout }, { store })
      const { authenticator } = await passkeyUser(app, 'ada')
      for (const _ of times(10, Number)) answers(await passkeyLoginOf(app, authenticator), 200)
      for (const _ of times(3, Number))
        refusesOwn(await passkeyLoginOf(app, authenticator, { forged }), bad)
      for (const _ of times(5, Number)) answers(await passkeyLoginOf(app, authenticator), 200)
      refusesOwn(await passkeyLoginOf(app, authenticator, { forged }), bad)
      refusesOwn(await passkeyLoginOf(app, authenticator), locked)
    })

    test('parallel wrong ones are counted exactly', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, lockout }, { store })
      const { authenticator } = await passkeyUser(app, 'ada')
      const proofs = await Promise.all(
        times(30, () => assertionOf(new Client(app), authenticator, forged)),
      )
      const answered = await Promise.all(
        proofs.map((proof) => new Client(app).post('/passkeys/login/verify', proof)),
      )
      assert.deepEqual(statuses(answered), { 401: 4, 429: 26 })
    })

    test('the challenge of a second factor counts nothing', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, lockout, mfa: mfaOptions }, { store })
      const { client, authenticator } = await passkeyUser(app, 'ada', { verifiesUser: false })
      await enroll(client)
      for (const _ of times(8, Number)) {
        const body = answers(await passkeyLoginOf(app, authenticator), 200)
        assert.equal(body.mfa_required, true)
      }
      await challengeOf(new Client(app), 'ada')
    })
  })
}

test('options are limited by address', async (t) => {
  const app = await buildPasskeys(t, {
    rateLimits: { passkey_options: { max: 2, windowSeconds: 60 } },
  })
  const ask = (remoteAddress: string) =>
    new Client(app, '', { remoteAddress }).post('/passkeys/login/options', {})
  for (const _ of times(2, Number)) answers(await ask('10.0.0.1'), 200)
  refusesOwn(await ask('10.0.0.1'), 'CRUDAUTH_RATE_LIMITED')
  answers(await ask('10.0.0.2'), 200)
})

test('a transport that is refused before the passkey is judged counts nothing', async (t) => {
  const app = await buildPasskeys(t, { lockout })
  const { authenticator } = await passkeyUser(app, 'ada')
  for (const _ of times(6, Number))
    refusesOwn(
      await passkeyLoginOf(app, authenticator, { transport: 'bearer' }),
      'CRUDAUTH_BAD_REQUEST',
    )
  answers(await passkeyLoginOf(app, authenticator), 200)
})
