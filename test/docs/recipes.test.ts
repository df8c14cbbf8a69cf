import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type {} from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import crudAuth, {
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'
import { blocksOf, page, tableRows } from './documents.js'
import { runExample } from './load.js'

const ada = { email: 'ada@example.com', username: 'ada', password }

async function withPlugin(
  t: TestContext,
  options: Partial<CrudAuthOptions>,
): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(() => app.close())
  const rest = { secret, users: memoryUsers(), passwords: { cost: cheap } }
  await app.register(crudAuth, { ...rest, ...options })
  return app
}

async function register(app: FastifyInstance): Promise<void> {
  const response = await app.inject({ method: 'POST', url: '/register', payload: ada })
  assert.equal(response.statusCode, 201, response.body)
}

async function signIn(app: FastifyInstance) {
  const response = await app.inject({ method: 'POST', url: '/login', payload: ada })
  assert.equal(response.statusCode, 200, response.body)
  const cookie = response.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  return { cookie, csrf: response.json().csrf_token as string }
}

const post = (
  app: FastifyInstance,
  url: string,
  payload: object,
  headers: Record<string, string> = {},
) => app.inject({ method: 'POST', url, payload, headers })

test('API-key example: a valid key authenticates with its scopes, an invalid one is refused', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const users = memoryUsers()
  const digest = createHash('sha256').update('key of ada').digest('hex')
  const ownerOfKey = async (text: string) => (text === digest ? 1 : null)
  await runExample(t, 'apikey', { app, secret, users, ownerOfKey })
  await register(app)

  const good = await app.inject({ url: '/reports', headers: { 'x-api-key': 'key of ada' } })
  assert.deepEqual([good.statusCode, good.json()], [200, []])
  const me = await app.inject({ url: '/me', headers: { 'x-api-key': 'key of ada' } })
  assert.deepEqual([me.json().via, me.json().scopes], ['apikey', ['reports:read']])
  for (const headers of [
    {},
    { 'x-api-key': 'key of bob' },
    { 'x-api-key': digest },
    { 'x-api-key': '' },
  ]) {
    const refused = await app.inject({ url: '/reports', headers })
    assert.equal(refused.json().code, 'CRUDAUTH_UNAUTHENTICATED')
  }
  const { cookie } = await signIn(app)
  const session = await app.inject({ url: '/reports', headers: { cookie } })
  assert.equal(session.json().code, 'CRUDAUTH_INSUFFICIENT_SCOPE', 'a session has no scopes')
  await users.update(1, { isActive: false })
  const disabled = await app.inject({ url: '/reports', headers: { 'x-api-key': 'key of ada' } })
  assert.equal(disabled.json().code, 'CRUDAUTH_UNAUTHENTICATED')
})

test('API-key example: the transport has at most 15 lines', () => {
  const code =
    blocksOf(page('docs/gates.md')).find(({ marks }) => marks.name === 'apikey')?.code ?? ''
  const transport = /const apiKeys[\s\S]*?\n\}\n/.exec(code)?.[0] ?? ''
  assert.ok(transport.split('\n').length > 5 && transport.split('\n').length <= 15)
})

test('custom token route example: issues refreshable tokens and shares errors and lockout with /token', async (t) => {
  const scopes = { defaultScopes: [], grantableScopes: ['notes:read'] }
  const app = await withPlugin(t, {
    transports: [bearerTransport({ refresh: 'body', ...scopes })],
    lockout: { maxAttempts: 2 },
  })
  await runExample(t, 'token', { app })
  await register(app)

  const response = await post(app, '/mobile/token', { email: ada.email, password })
  assert.equal(response.statusCode, 200, response.body)
  assert.equal(response.headers['cache-control'], 'no-store')
  const { access_token, refresh_token } = response.json()
  const me = await app.inject({ url: '/me', headers: { authorization: `Bearer ${access_token}` } })
  assert.deepEqual([me.json().via, me.json().scopes], ['bearer', ['notes:read']])
  assert.equal((await post(app, '/refresh', { refresh_token })).statusCode, 200)

  const wrong = { email: ada.email, password: 'wrong' }
  assert.equal((await post(app, '/mobile/token', wrong)).json().code, 'CRUDAUTH_BAD_CREDENTIALS')
  assert.equal(
    (await post(app, '/token', { username: 'ada', password: 'wrong' })).json().code,
    'CRUDAUTH_BAD_CREDENTIALS',
  )
  const locked = await post(app, '/mobile/token', { email: ada.email, password })
  assert.equal(locked.json().code, 'CRUDAUTH_LOCKED_OUT', 'one budget with /token')
  assert.ok(Number(locked.headers['retry-after']) >= 1)
})

test('GraphQL-like example: the route is public, and each operation checks its own access', async (t) => {
  const app = await withPlugin(t, {
    transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
  })
  await runExample(t, 'operations', { app })
  await register(app)
  const ask = (operation: string, headers: Record<string, string> = {}, variables?: object) =>
    post(app, '/operations', { operation, ...(variables && { variables }) }, headers)

  assert.deepEqual((await ask('news')).json(), { data: ['Nothing new'] })
  assert.equal((await ask('me')).json().code, 'CRUDAUTH_UNAUTHENTICATED')
  for (const name of ['constructor', '__proto__', 'other'])
    assert.equal((await ask(name)).json().code, 'CRUDAUTH_BAD_REQUEST')

  const tokens = (await ask('signIn', {}, { email: ada.email, password })).json().data
  const bearer = { authorization: `Bearer ${tokens.accessToken}` }
  assert.deepEqual((await ask('me', bearer)).json(), { data: { id: 1, via: 'bearer' } })
  assert.equal(
    (await post(app, '/refresh', { refresh_token: tokens.refreshToken })).statusCode,
    200,
  )
  const wrong = await ask('signIn', {}, { email: ada.email, password: 'wrong' })
  assert.equal(wrong.json().code, 'CRUDAUTH_BAD_CREDENTIALS')
  assert.equal(
    (await ask('news', { authorization: 'Bearer nonsense' })).json().code,
    'CRUDAUTH_INVALID_TOKEN',
  )

  const { cookie, csrf } = await signIn(app)
  assert.deepEqual((await ask('me', { cookie, 'x-csrf-token': csrf })).json(), {
    data: { id: 1, via: 'session' },
  })
  assert.equal((await ask('news', { cookie })).json().code, 'CRUDAUTH_CSRF')
})

test('WebSocket example: requires a session and refuses foreign origins', async (t) => {
  const app = await withPlugin(t, {
    transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
  })
  await runExample(t, 'websocket', { app })
  await register(app)
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  const { WebSocket } = await import('ws' as string)
  /** The first message, or the status of a response that is not an upgrade. */
  const connect = (headers: Record<string, string>) =>
    new Promise<string | number>((resolve, reject) => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}/live`, { headers })
      socket.on('message', (data: Buffer) => {
        resolve(data.toString())
        socket.close()
      })
      socket.on(
        'unexpected-response',
        (_request: unknown, response: { statusCode: number; resume(): void }) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      socket.on('error', reject)
    })

  const { cookie } = await signIn(app)
  assert.equal(await connect({ cookie }), '{"hello":1}')
  assert.equal(await connect({ cookie, origin: base }), '{"hello":1}')
  assert.equal(await connect({ cookie, origin: 'https://evil.example' }), 403)
  assert.equal(await connect({}), 401)
  const { access_token } = (await post(app, '/token', ada)).json()
  assert.equal(await connect({ authorization: `Bearer ${access_token}` }), 401)
})

test('WebSocket example: closes within a minute after the session ends', async (t) => {
  const app = await withPlugin(t, {})
  await runExample(t, 'websocket', { app })
  await register(app)
  await app.ready()
  const { cookie } = await signIn(app)
  t.mock.timers.enable({ apis: ['setInterval'] })
  const closed = await new Promise<{ code: number }>((resolve, reject) => {
    const onInit = (socket: { on(event: string, listener: (value: never) => void): void }) => {
      socket.on('close', ((code: number) => resolve({ code })) as never)
      socket.on('message', (async () => {
        await app.crudAuth.sessions.revokeAll(1)
        t.mock.timers.tick(60_000)
      }) as never)
    }
    app
      .injectWS('/live', { headers: { cookie } } as never, { onInit: onInit as never })
      .catch(reject)
  })
  assert.equal(closed.code, 4401)
})

test('other-service example: accepts only valid tokens with its issuer and audience', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const old = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const issuer = 'https://api.example.com'
  const scopes = { defaultScopes: ['notes:read'] }
  const issued = (options: object) =>
    withPlugin(t, {
      transports: [bearerTransport({ refresh: 'body', jwks: true, ...scopes, ...options })],
    })
  const tokenOf = async (app: FastifyInstance): Promise<string> => {
    await register(app)
    return (await post(app, '/token', ada)).json().access_token
  }
  const keys = [
    { kid: 'new', alg: 'EdDSA', privateKey },
    { kid: 'old', alg: 'ES256', privateKey: old },
  ] as const
  const app = await issued({ keys, issuer, audience: 'notes' })
  const fetch = async () => new Response((await app.inject('/.well-known/jwks.json')).body)
  const { claimsOf } = (await runExample(t, 'verify', { fetch })) as {
    claimsOf(token: string): { sub: string; scope: string }
  }

  const token = await tokenOf(app)
  assert.equal(claimsOf(token).sub, '1')
  assert.equal(claimsOf(token).scope, 'notes:read')
  const before = await tokenOf(
    await issued({ keys: [...keys].reverse(), issuer, audience: 'notes' }),
  )
  assert.equal(claimsOf(before).sub, '1', 'a token of the other key of the set')

  const foreign = generateKeyPairSync('ed25519').privateKey
  const bad = {
    'another audience': await tokenOf(await issued({ keys, issuer, audience: 'mail' })),
    'another issuer': await tokenOf(
      await issued({ keys, issuer: 'https://evil.example', audience: 'notes' }),
    ),
    'another key under that kid': await tokenOf(
      await issued({
        keys: [{ kid: 'new', alg: 'EdDSA', privateKey: foreign }],
        issuer,
        audience: 'notes',
      }),
    ),
    'an unknown kid': await tokenOf(
      await issued({
        keys: [{ kid: 'x', alg: 'EdDSA', privateKey: foreign }],
        issuer,
        audience: 'notes',
      }),
    ),
    'changed claims': token.replace(/\.[^.]+\./, `.${before.split('.')[1]}.`),
    'no token': 'a.b.c',
  }
  for (const [what, text] of Object.entries(bad)) assert.throws(() => claimsOf(text), what)
})

test('docs/bearer.md: the listed claims match an issued token', async (t) => {
  const users = memoryUsers()
  const transports = [bearerTransport({ refresh: 'body', issuer: 'a', audience: 'b' })]
  const app = await withPlugin(t, { users, transports })
  await register(app)
  await users.update(1, { isSuperuser: true, emailVerified: true })
  const { access_token } = (await post(app, '/token', ada)).json()
  const [header, claims] = access_token
    .split('.')
    .slice(0, 2)
    .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  assert.deepEqual(Object.keys(header), ['alg', 'typ', 'kid'])
  assert.equal(header.typ, 'at+jwt')

  const { text } = page('docs/bearer.md')
  const table = text.slice(text.indexOf('| claim | what |'), text.indexOf('Send it in the header'))
  const documented = tableRows({ path: 'docs/bearer.md', text: table })
    .slice(1)
    .flatMap(([names = '']) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  assert.deepEqual(documented.sort(), Object.keys(claims).sort())
})
