import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { asBearer, claimsOf } from '../helpers/bearer.js'
import { Client } from '../helpers/client.js'
import { sessionCookie } from '../helpers/hostile.js'
import { passkeyPlaces } from '../helpers/passkey-places.js'
import {
  assertionOf,
  buildPasskeys,
  passkeyLogin,
  passkeyLoginOf,
  passkeyUser,
} from '../helpers/passkeys.js'

const session = sessionTransport()
const bearer = bearerTransport({ refresh: 'body', grantableScopes: ['notes'] })
const tokenKeys = ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type']

for (const place of passkeyPlaces) {
  describe(`${place.name}: what a passkey signs in to`, () => {
    test('the first transport of the option, or the one that is asked for', async (t) => {
      const { auth, store } = await place.open(t)
      for (const [transports, first] of [
        [[session, bearer], 'session'],
        [[bearer, session], 'bearer'],
      ] as const) {
        const app = await buildPasskeys(t, { ...auth, transports }, { store })
        const { authenticator } = await passkeyUser(app, `ada${first}`)
        for (const transport of [undefined, 'session', 'bearer']) {
          const asked = transport === undefined ? {} : { transport }
          const response = await passkeyLoginOf(app, authenticator, asked)
          const body = answers(response, 200)
          const isSession = (transport ?? first) === 'session'
          assert.deepEqual(
            Object.keys(body).sort(),
            isSession ? ['csrf_token', 'id', 'username'] : tokenKeys,
          )
          assert.equal(sessionCookie in setCookies(response), isSession)
        }
        for (const transport of ['', 'saml', '__proto__', 'constructor'])
          refusesOwn(
            await passkeyLoginOf(app, authenticator, { transport }),
            'CRUDAUTH_BAD_REQUEST',
          )
      }
    })

    test('tokens have the scopes and the methods of the sign-in', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, transports: [session, bearer] }, { store })
      const { authenticator } = await passkeyUser(app, 'ada')
      const login = (forged = {}, scope?: string) =>
        passkeyLoginOf(app, authenticator, {
          transport: 'bearer',
          forged,
          ...(scope !== undefined && { scope }),
        })
      const { access_token, scope } = answers(await login({}, 'notes'), 200)
      assert.equal(scope, 'notes')
      assert.deepEqual(claimsOf(access_token).amr, ['swk', 'mfa'])
      const guarded = await asBearer(app, access_token, '/guarded')
      assert.deepEqual(guarded.json(), { amr: ['webauthn', 'mfa'], via: 'bearer' })
      const one = answers(await login({ flags: { uv: false } }), 200)
      assert.deepEqual(claimsOf(one.access_token).amr, ['swk'])
      assert.equal(answers(await login({}, 'root'), 200).scope, '')
    })

    test('remember_me gives the cookie a lifetime', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const { authenticator } = await passkeyUser(app, 'ada')
      for (const remember_me of [true, false]) {
        const response = await passkeyLoginOf(app, authenticator, { remember_me })
        answers(response, 200)
        const maxAge = setCookies(response)[sessionCookie]?.maxAge
        assert.equal(maxAge !== undefined, remember_me)
      }
    })
  })
}

test('a cross-site page signs no browser in, and uses up nothing', async (t) => {
  const app = await buildPasskeys(t, { transports: [session, bearer] })
  const { authenticator } = await passkeyUser(app, 'ada')
  const proof = await assertionOf(new Client(app), authenticator)
  const send = (headers: Record<string, string>, body = {}) =>
    new Client(app, '', { headers }).post('/passkeys/login/verify', { ...proof, ...body })
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ])
    refusesOwn(await send(headers), 'CRUDAUTH_CROSS_SITE')
  answers(await send({ 'sec-fetch-site': 'same-origin' }), 200)
  const tokens = await passkeyLogin(
    new Client(app, '', { headers: { 'sec-fetch-site': 'cross-site' } }),
    authenticator,
    { transport: 'bearer' },
  )
  answers(tokens, 200)
})

test('hooks: onBeforeLogin may refuse, and onAfterLogin is told of the sign-in', async (t) => {
  const events: string[] = []
  let refuses = false
  const app = await buildPasskeys(t, {
    hooks: {
      onBeforeLogin(user) {
        assert.ok(!('hashedPassword' in user))
        events.push('before')
        if (refuses) throw new Error('not today')
      },
      onAfterLogin: () => void events.push('after'),
    },
  })
  const { authenticator } = await passkeyUser(app, 'ada')
  events.length = 0
  answers(await passkeyLoginOf(app, authenticator), 200)
  assert.deepEqual(events, ['before', 'after'])
  refuses = true
  const response = await passkeyLoginOf(app, authenticator)
  refusesOwn(response, 'CRUDAUTH_FORBIDDEN')
  assert.ok(!(sessionCookie in setCookies(response)))
  // The app isn't asked about, nor told of, a passkey that is wrong.
  events.length = 0
  const forged = { origin: 'https://evil.example' }
  refusesOwn(await passkeyLoginOf(app, authenticator, { forged }), 'CRUDAUTH_BAD_CREDENTIALS')
  assert.deepEqual(events, [])
})

test('options are the same for everybody, and name no credential', async (t) => {
  const app = await buildPasskeys(t)
  await passkeyUser(app, 'ada')
  const { challenge_id, options } = answers(
    await new Client(app).post('/passkeys/login/options', {}),
    200,
  )
  assert.match(challenge_id, /^[\w-]{43}$/)
  const { challenge, ...rest } = options
  assert.match(challenge, /^[\w-]{43}$/)
  assert.notEqual(challenge, challenge_id)
  const { allowCredentials, ...named } = rest
  assert.equal(allowCredentials, undefined)
  assert.deepEqual(named, { rpId: 'example.com', timeout: 300_000, userVerification: 'preferred' })
  answers(await new Client(app).post('/passkeys/login/options'), 200)
})
