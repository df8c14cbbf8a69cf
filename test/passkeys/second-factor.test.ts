import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { bearerTransport, type MfaOptions, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { asBearer, claimsOf } from '../helpers/bearer.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { statuses, times } from '../helpers/hostile.js'
import { challengeOf, codeAt, enroll, mfaOptions, verify } from '../helpers/mfa.js'
import { type PasskeyPlace, passkeyPlaces, passkeysEverywhere } from '../helpers/passkey-places.js'
import {
  answerWithPasskey,
  assertionOf,
  buildPasskeys,
  passkeyLoginOf,
  passkeyUser,
} from '../helpers/passkeys.js'

const wrongCode = 'CRUDAUTH_MFA_CODE'
const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

/** An app, and an enrolled user with a passkey. */
async function start(t: TestContext, place: PasskeyPlace, mfa: Partial<MfaOptions> = {}) {
  const { auth, store } = await place.open(t)
  const app = await buildPasskeys(
    t,
    {
      ...auth,
      transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
      lockout: false,
      mfa: { ...mfaOptions, ...mfa },
    },
    { store },
  )
  const user = await passkeyUser(app, 'ada')
  return { app, store, ...user, ...(await enroll(user.client)) }
}

for (const place of passkeyPlaces) {
  describe(`${place.name}: a passkey as the second factor`, () => {
    test('it finishes the sign-in with the password, and says so in amr', async (t) => {
      const { app, authenticator } = await start(t, place)
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      const info = answers(await client.post('/mfa/challenge', { challenge }), 200)
      assert.deepEqual(info, { setup: null, methods: ['totp', 'recovery_code', 'passkey'] })
      const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
      assert.deepEqual(
        begun.options.allowCredentials.map(({ id }: { id: string }) => id),
        authenticator.credentials.map(({ id }) => id),
      )
      assert.equal(begun.options.userVerification, 'preferred')
      const body = answers(await answerWithPasskey(client, challenge, authenticator), 200)
      assert.deepEqual(Object.keys(body).sort(), ['csrf_token', 'id', 'username'])
      assert.deepEqual((await client.get('/guarded')).json().amr, ['pwd', 'webauthn', 'mfa'])
      refusesOwn(await client.post('/mfa/passkey/options', { challenge }), invalid)
    })

    test('tokens say it too', async (t) => {
      const { app, authenticator } = await start(t, place)
      const client = new Client(app)
      const asked = answers(await client.post('/token', { username: 'ada', password }), 200)
      // User verification isn't needed: the password is the other factor.
      const { access_token } = answers(
        await answerWithPasskey(client, asked.challenge, authenticator, {
          forged: { flags: { uv: false } },
        }),
        200,
      )
      assert.deepEqual(claimsOf(access_token).amr, ['pwd', 'swk', 'mfa'])
      const guarded = await asBearer(app, access_token, '/guarded')
      assert.deepEqual(guarded.json().amr, ['pwd', 'webauthn', 'mfa'])
    })

    test('wrong passkeys are 401, and spend the attempts of the challenge', async (t) => {
      const { app, authenticator } = await start(t, place, { maxAttempts: 3 })
      const bob = await passkeyUser(app, 'bob')
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      for (const forged of [{ origin: 'https://evil.example' }, { signature: Buffer.alloc(64) }])
        refusesOwn(await answerWithPasskey(client, challenge, authenticator, { forged }), wrongCode)
      // A passkey of somebody else, which isn't even in the options.
      const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
      const response = bob.authenticator.get({ ...begun.options, allowCredentials: [] })
      const foreign = { challenge, challenge_id: begun.challenge_id, response }
      refusesOwn(await client.post('/mfa/verify', foreign), wrongCode)
      refusesOwn(await answerWithPasskey(client, challenge, authenticator), invalid)
    })

    test('challenges of other purposes and sign-ins are refused', async (t) => {
      const { app, client: owner, authenticator } = await start(t, place)
      const client = new Client(app)
      const [challenge, other] = [
        await challengeOf(client, 'ada'),
        await challengeOf(client, 'ada'),
      ]
      const login = await assertionOf(client, authenticator)
      const sudo = (await owner.post('/sudo/options', {})).json()
      const another = answers(await client.post('/mfa/passkey/options', { challenge: other }), 200)
      for (const { challenge_id, response } of [
        login,
        { ...sudo, response: authenticator.get(sudo.options) },
        { ...another, response: authenticator.get(another.options) },
      ])
        refusesOwn(
          await client.post('/mfa/verify', { challenge, challenge_id, response }),
          wrongCode,
        )
      // Nor does a second factor sign in by itself.
      const own = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
      const response = authenticator.get(own.options)
      const alone = { challenge_id: own.challenge_id, response }
      refusesOwn(await client.post('/passkeys/login/verify', alone), 'CRUDAUTH_BAD_CREDENTIALS')
      answers(await answerWithPasskey(client, challenge, authenticator), 200)
    })

    test('a body with a code and a passkey is judged by its code', async (t) => {
      const { app, authenticator, secret } = await start(t, place)
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
      const { challenge_id } = begun
      const response = authenticator.get(begun.options)
      const both = { challenge, challenge_id, response }
      refusesOwn(await client.post('/mfa/verify', { ...both, code: 'abcdef' }), wrongCode)
      for (const broken of [{ challenge }, { challenge, challenge_id }, { challenge, response }])
        refusesOwn(await client.post('/mfa/verify', broken), 'FST_ERR_VALIDATION')
      answers(await client.post('/mfa/verify', { ...both, code: codeAt(secret) }), 200)
    })

    test('a passkey without user verification asks for another factor', async (t) => {
      const { app, authenticator, secret } = await start(t, place)
      const forged = { flags: { uv: false } }
      const client = new Client(app)
      const begin = async (): Promise<string> =>
        answers(await passkeyLoginOf(app, authenticator, { forged }), 200).challenge
      const challenge = await begin()
      const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
      assert.equal(begun.options.userVerification, 'required')
      refusesOwn(await answerWithPasskey(client, challenge, authenticator, { forged }), wrongCode)
      answers(await answerWithPasskey(client, challenge, authenticator), 200)
      assert.deepEqual((await client.get('/guarded')).json().amr, ['webauthn', 'mfa'])
      const other = new Client(app)
      answers(await verify(other, await begin(), codeAt(secret)), 200)
      assert.deepEqual((await other.get('/guarded')).json().amr, ['webauthn', 'otp', 'mfa'])
      // With user verification it is two factors already.
      answers(await passkeyLoginOf(app, authenticator), 200)
    })

    test('remember_device works for an account with an authenticator app', async (t) => {
      const { app, authenticator } = await start(t, place, { rememberDeviceDays: 1 })
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      const remember = { remember_device: true }
      answers(await answerWithPasskey(client, challenge, authenticator, remember), 200)
      client.csrf = null
      assert.equal(answers(await client.login('ada'), 200).mfa_required, undefined)
    })
  })
}

for (const place of passkeysEverywhere) {
  test(`${place.name}: parallel answers to a challenge spend its attempts exactly, and sign in once`, async (t) => {
    const { app, authenticator } = await start(t, place, { maxAttempts: 5 })
    const client = new Client(app)
    const answerAll = async (challenge: string, forged: object) => {
      const bodies = await Promise.all(
        times(30, async () => {
          const begun = answers(await client.post('/mfa/passkey/options', { challenge }), 200)
          const response = authenticator.get(begun.options, forged)
          return { challenge, challenge_id: begun.challenge_id, response }
        }),
      )
      return statuses(
        await Promise.all(bodies.map((body) => new Client(app).post('/mfa/verify', body))),
      )
    }
    const wrong = await answerAll(await challengeOf(client, 'ada'), {
      origin: 'https://evil.example',
    })
    assert.deepEqual(wrong, { 400: 25, 401: 5 })
    const right = await answerAll(await challengeOf(client, 'ada'), {})
    assert.equal(right[200], 1, JSON.stringify(right))
  })
}

test('an account without passkeys, and a setup, get no options', async (t) => {
  const app = await buildPasskeys(t, { mfa: { ...mfaOptions, required: true } })
  await new Client(app).register('bob')
  const client = new Client(app)
  const { challenge } = answers(await client.login('bob'), 200)
  refusesOwn(await client.post('/mfa/passkey/options', { challenge }), 'CRUDAUTH_BAD_REQUEST')
  refusesOwn(await client.post('/mfa/passkey/options', { challenge: 'A'.repeat(43) }), invalid)
  const off = await buildPasskeys(t, { mfa: mfaOptions, passkeys: undefined })
  assert.equal((await new Client(off).post('/mfa/passkey/options', { challenge })).statusCode, 404)
})
