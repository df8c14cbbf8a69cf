import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import {
  bearerTransport,
  type CompleteLoginOptions,
  currentUser,
  memoryUsers,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { sessionCookie } from '../helpers/hostile.js'
import { codeAt, enrolledUser, mfaOptions, verify, wrongCode } from '../helpers/mfa.js'
import { refuses } from '../helpers/refuses.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

const isConfigError = (response: LightMyRequestResponse) =>
  assert.deepEqual([response.statusCode, response.json().code], [500, 'CRUDAUTH_CONFIG'])

/** A transport of the app: the key is the name of the user, and how the user authenticated. */
const apiKeys = (seen: object[] = []): Transport => ({
  name: 'apikey',
  async authenticate(request, auth) {
    const [name, ...amr] = String(request.headers['x-api-key'] ?? '').split(' ')
    const user = name ? await auth.users.findBy('username', name) : null
    return user && auth.createPrincipal(user, { transport: 'apikey', amr: amr as never })
  },
  async signIn(_request, reply, user, { amr }) {
    seen.push({ ...user })
    reply.header('x-signed-in', 'apikey')
    return { api_key: [(user as unknown as { username: string }).username, ...amr].join(' ') }
  },
})

/** An app with every kind of transport, and a login by hand. */
async function setUp(t: Parameters<typeof build>[0], seen?: object[]) {
  const told: string[] = []
  const plain: Transport = { name: 'plain', authenticate: async () => null }
  const app = await build(t, {
    auth: {
      mfa: mfaOptions,
      transports: [
        sessionTransport({ managementRoutes: true }),
        bearerTransport({ refresh: 'body' }),
        apiKeys(seen),
        plain,
      ],
      hooks: { onAfterLogin: (_user, { transport }) => told.push(transport) },
    },
    routes(app: FastifyInstance) {
      const userOf = async (body: { name?: string } = {}) => {
        const user = await app.crudAuth.users.findBy('username', body.name ?? 'ada')
        assert.ok(user)
        return user
      }
      type Body = { name?: string; options?: CompleteLoginOptions }
      app.post<{ Body: Body }>('/by-hand', async (request, reply) =>
        app.crudAuth.completeLogin(
          request,
          reply,
          await userOf(request.body),
          request.body?.options,
        ),
      )
      app.post<{ Body: Body }>('/challenge', async (request) => ({
        challenge: await app.crudAuth.mfa.challenge(
          request,
          await userOf(request.body),
          request.body.options,
        ),
      }))
      app.post('/complete', (request, reply) =>
        app.crudAuth.mfa.complete(request, reply, request.body as never),
      )
      app.get('/principal', { onRequest: currentUser() }, async ({ principal }) => ({
        transport: principal.transport,
        amr: principal.amr,
      }))
      app.get('/safe', { onRequest: currentUser({ mfa: true }) }, async () => ({}))
    },
  })
  const ada = await enrolledUser(app, 'ada')
  await new Client(app).register('bob')
  told.length = 0
  const client = new Client(app)
  const byHand = async (options?: CompleteLoginOptions, name = 'ada') =>
    client.post('/by-hand', { options, name })
  return { app, ...ada, told, client, byHand }
}

describe('completeLogin: a login by hand', () => {
  test('the default is the session, and it asks for the code', async (t) => {
    const { client, byHand, secret, told } = await setUp(t)
    const response = await byHand({ amr: ['pwd'] })
    assert.deepEqual(setCookies(response), {})
    const { challenge } = response.json()
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    assert.deepEqual(told, [])
    answers(await verify(client, challenge, codeAt(secret)), 200)
    assert.deepEqual(told, ['session'])
    const principal = (await client.get('/principal')).json()
    assert.deepEqual(principal, { transport: 'session', amr: ['pwd', 'otp', 'mfa'] })
    assert.equal((await byHand({}, 'bob')).json().username, 'bob')
  })

  test('without amr, no first factor is claimed', async (t) => {
    const { client, byHand, secret } = await setUp(t)
    const { challenge } = (await byHand()).json()
    answers(await verify(client, challenge, codeAt(secret)), 200)
    assert.deepEqual((await client.get('/principal')).json().amr, ['otp', 'mfa'])
  })

  test('an amr with mfa skips the code; anything else is an error', async (t) => {
    const { client, byHand } = await setUp(t)
    for (const amr of [['passkey'], 'mfa', [1], {}] as never[])
      refuses(await byHand({ amr }), 'CRUDAUTH_INTERNAL')
    assert.equal((await byHand({ amr: ['webauthn', 'mfa'] })).json().username, 'ada')
    assert.deepEqual((await client.get('/principal')).json().amr, ['webauthn', 'mfa'])
    assert.equal((await client.get('/safe')).statusCode, 200)
  })

  test('tokens: completeLogin with transport: bearer', async (t) => {
    const { client, byHand, secret } = await setUp(t)
    const { challenge } = (await byHand({ transport: 'bearer', amr: ['pwd'] })).json()
    const tokens = answers(await verify(client, challenge, codeAt(secret)), 200)
    assert.equal(tokens.token_type, 'bearer')
  })

  test('a disabled account is refused, and an unknown transport is a mistake of the app', async (t) => {
    const { app, byHand } = await setUp(t)
    for (const transport of ['plain', 'unknown', '']) isConfigError(await byHand({ transport }))
    await app.crudAuth.users.update(1, { isActive: false })
    refuses(await byHand(), 'CRUDAUTH_FORBIDDEN')
  })
})

describe('a transport of the app that has signIn', () => {
  test('its sign-in asks for the code, and learns the methods', async (t) => {
    const seen: Record<string, unknown>[] = []
    const { app, client, byHand, secret, told } = await setUp(t, seen)
    const { challenge } = (await byHand({ transport: 'apikey', amr: ['pwd'] })).json()
    assert.deepEqual([seen, told], [[], []])
    const verified = await verify(client, challenge, codeAt(secret))
    assert.deepEqual(answers(verified, 200), { api_key: 'ada pwd otp mfa' })
    assert.equal(verified.headers['x-signed-in'], 'apikey')
    assert.deepEqual(told, ['apikey'])
    assert.deepEqual(
      seen.map(({ username }) => username),
      ['ada'],
    )
    for (const field of ['hashedPassword', 'totpSecretEncrypted', 'mfaRecoveryCodes'])
      assert.ok(!(field in (seen[0] ?? {})))
    const key = { headers: { 'x-api-key': 'ada pwd otp mfa' } }
    const stranger = new Client(app)
    assert.equal((await stranger.get('/safe', key)).statusCode, 200)
    const weak = { headers: { 'x-api-key': 'ada pwd' } }
    assert.equal((await stranger.get('/safe', weak)).json().code, 'CRUDAUTH_MFA_REQUIRED')
    // Its answer may set a cookie, so another site must not finish the sign-in.
    const again = (await byHand({ transport: 'apikey' })).json().challenge
    const foreign = { headers: { 'sec-fetch-site': 'cross-site' } }
    const body = { challenge: again, code: codeAt(secret) }
    refusesOwn(await client.post('/mfa/verify', body, foreign), 'CRUDAUTH_CROSS_SITE')
  })

  test('an account without a second factor signs in at once', async (t) => {
    const { byHand } = await setUp(t)
    const response = await byHand({ transport: 'apikey', amr: ['pwd'] }, 'bob')
    assert.deepEqual(response.json(), { api_key: 'bob pwd' })
  })
})

describe('app.crudAuth.mfa: challenge and complete', () => {
  const asked = (client: Client, options?: CompleteLoginOptions, name = 'ada') =>
    client.post('/challenge', { name, options })

  test('challenge returns null where the sign-in goes on, and complete finishes it', async (t) => {
    const { client, secret } = await setUp(t)
    assert.deepEqual((await asked(client, {}, 'bob')).json(), { challenge: null })
    assert.deepEqual((await asked(client, { amr: ['mfa'] })).json(), { challenge: null })
    const { challenge } = (await asked(client, { rememberMe: true, amr: ['pwd'] })).json()
    assert.deepEqual(Object.keys(challenge).sort(), ['challenge', 'expires_in', 'mfa_required'])
    const answer = { challenge: challenge.challenge, code: wrongCode(secret) }
    refuses(await client.post('/complete', answer), 'CRUDAUTH_MFA_CODE')
    const completed = await client.post('/complete', { ...answer, code: codeAt(secret) })
    assert.equal(completed.json().username, 'ada')
    assert.notEqual(setCookies(completed)[sessionCookie]?.maxAge, undefined, 'remembered')
    assert.equal((await client.get('/principal')).json().transport, 'session')
    refuses(await client.post('/complete', { ...answer, code: codeAt(secret) }), invalid)
  })

  test('they refuse what the routes refuse', async (t) => {
    const { app, client } = await setUp(t)
    for (const body of [{}, { challenge: 1, code: '123456' }, { challenge: 'x', code: 123_456 }])
      refuses(await client.post('/complete', body), 'CRUDAUTH_BAD_REQUEST')
    refuses(await client.post('/complete', { challenge: 'x', code: '123456' }), invalid)
    isConfigError(await asked(client, { transport: 'unknown' }))
    refuses(await asked(client, { amr: ['passkey'] as never }), 'CRUDAUTH_INTERNAL')
    await app.crudAuth.users.update(1, { isActive: false })
    refuses(await asked(client), 'CRUDAUTH_FORBIDDEN')
  })
})

for (const backend of backends.filter(({ name }) => name === 'redis')) {
  test('a challenge of a transport that another instance lacks is invalid there', async (t) => {
    const shared = { ...backend.options(), mfa: mfaOptions, users: memoryUsers() }
    const apps = [[sessionTransport(), apiKeys()], [sessionTransport()]].map((transports) =>
      build(t, {
        auth: { ...shared, transports },
        routes(app) {
          app.post('/by-hand', async (request, reply) => {
            const user = await app.crudAuth.users.findBy('username', 'ada')
            assert.ok(user)
            return app.crudAuth.completeLogin(request, reply, user, { transport: 'apikey' })
          })
        },
      }),
    )
    const [app, without] = (await Promise.all(apps)) as [FastifyInstance, FastifyInstance]
    const { secret } = await enrolledUser(app, 'ada')
    const { challenge } = (await new Client(app).post('/by-hand')).json()
    refusesOwn(await verify(new Client(without), challenge, codeAt(secret)), invalid)
    answers(await verify(new Client(app), challenge, codeAt(secret)), 200)
  })
}
