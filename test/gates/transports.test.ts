import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import {
  accountRoutes,
  type BearerTransportOptions,
  bearerRoutes,
  bearerTransport,
  crudAuth,
  currentUser,
  memoryUsers,
  requireFresh,
  sessionRoutes,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import {
  asBearer,
  askRefresh,
  askToken,
  authorization,
  bearerApp,
  claimsOf,
  forge,
  headerOf,
  postJson,
  signedInBearer,
  times,
  tokensOf,
} from '../helpers/bearer.js'
import { build, cheap, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'
import { countingUsers } from '../helpers/users.js'

const session = sessionTransport({ managementRoutes: true })
const bearer = (options: BearerTransportOptions = {}) =>
  bearerTransport({ refresh: 'body', ...options })

function mountRoutes(app: FastifyInstance): void {
  const answer = async (request: {
    maybePrincipal: { userId: unknown; transport: string } | null
  }) => ({
    who: request.maybePrincipal?.userId ?? null,
    via: request.maybePrincipal?.transport ?? null,
  })
  app.get('/own', { onRequest: app.currentUser() }, answer)
  app.post('/own', { onRequest: app.currentUser() }, answer)
  app.get('/optional', { onRequest: app.currentUser({ optional: true }) }, answer)
  app.get('/by-bearer', { onRequest: app.currentUser({ transport: 'bearer' }) }, answer)
  app.get('/by-session', { onRequest: app.currentUser({ transport: 'session' }) }, answer)
  app.get(
    '/maybe-by-bearer',
    { onRequest: app.currentUser({ transport: 'bearer', optional: true }) },
    answer,
  )
  app.get(
    '/both',
    { onRequest: [app.currentUser(), app.currentUser({ transport: 'session' })] },
    answer,
  )
  app.get(
    '/reports',
    { onRequest: app.currentUser({ scopes: ['reports:read', 'reports:list'] }) },
    answer,
  )
  app.get('/sudo', { onRequest: app.requireSudo }, answer)
  app.get('/fresh', { onRequest: app.requireFresh }, answer)
  app.post('/elevate', { onRequest: app.currentUser() }, async (request) => ({
    until: await app.crudAuth.sudo.elevate(request, { password: password }),
  }))
}

/** Ann has a session and Bob a token. */
async function annAndBob(t: TestContext, transports: readonly Transport[], options = {}) {
  const app = await build(t, {
    auth: { transports: [...transports], ...options },
    routes: mountRoutes,
  })
  const ann = await signedIn(app, 'ann')
  const bob = await signedInBearer(app, 'bob')
  return { app, ann, bob, header: authorization(bob.access_token) }
}

describe('a request with the session of one user and the token of another', () => {
  test('transport order: the first transport in the list authenticates the request', async (t) => {
    for (const [transports, who, via] of [
      [[session, bearer()], 1, 'session'],
      [[bearer(), session], 2, 'bearer'],
    ] as const) {
      const { ann, header } = await annAndBob(t, transports)
      for (const url of ['/own', '/optional', '/fresh']) {
        assert.deepEqual((await ann.get(url, { headers: header })).json(), { who, via }, url)
      }
      assert.deepEqual((await ann.get('/by-bearer', { headers: header })).json(), {
        who: 2,
        via: 'bearer',
      })
      assert.deepEqual((await ann.get('/by-session', { headers: header })).json(), {
        who: 1,
        via: 'session',
      })
    }
  })

  test('bearer first: an expired token falls back to the session, a forged one fails at once', async (t) => {
    const { app, ann, bob } = await annAndBob(t, [bearer(), session])
    const expired = forge(headerOf(bob.access_token), { ...claimsOf(bob.access_token), exp: 1 })
    assert.deepEqual((await ann.get('/own', { headers: authorization(expired) })).json(), {
      who: 1,
      via: 'session',
    })
    refuses(await ann.get('/own', { headers: authorization('forged') }), 'CRUDAUTH_INVALID_TOKEN')
    refuses(
      await ann.get('/optional', { headers: authorization('forged') }),
      'CRUDAUTH_INVALID_TOKEN',
    )
    assert.deepEqual((await ann.get('/by-session', { headers: authorization('forged') })).json(), {
      who: 1,
      via: 'session',
    })
    const [info] = await app.crudAuth.sessions.list(1)
    await app.crudAuth.sessions.revoke(1, info?.sessionId ?? '')
    assert.deepEqual((await ann.get('/own', { headers: authorization(bob.access_token) })).json(), {
      who: 2,
      via: 'bearer',
    })
  })

  test('session first: a forged token is ignored with a live session, 401 with an ended one', async (t) => {
    const { app, ann, bob } = await annAndBob(t, [session, bearer()])
    assert.deepEqual((await ann.get('/own', { headers: authorization('forged') })).json(), {
      who: 1,
      via: 'session',
    })
    const [info] = await app.crudAuth.sessions.list(1)
    await app.crudAuth.sessions.revoke(1, info?.sessionId ?? '')
    refuses(
      await ann.get('/optional', { headers: authorization('forged') }),
      'CRUDAUTH_INVALID_TOKEN',
    )
    assert.deepEqual((await ann.get('/own', { headers: authorization(bob.access_token) })).json(), {
      who: 2,
      via: 'bearer',
    })
  })

  test('CSRF: required only if the session authenticates, even if a valid token is present', async (t) => {
    const { app, ann, header } = await annAndBob(t, [session, bearer()])
    refuses(
      await ann.post('/own', {}, { headers: { ...header, 'x-csrf-token': 'wrong' } }),
      'CRUDAUTH_CSRF',
    )
    const response = await app.inject({ method: 'POST', url: '/own', headers: header, payload: {} })
    assert.deepEqual(response.json(), { who: 2, via: 'bearer' })
    const other = await annAndBob(t, [bearer(), session])
    const first = await other.ann.post(
      '/own',
      {},
      { headers: { ...other.header, 'x-csrf-token': 'wrong' } },
    )
    assert.deepEqual(first.json(), { who: 2, via: 'bearer' })
  })

  test('gates: a second gate refuses the credential of a different user', async (t) => {
    const { ann, header } = await annAndBob(t, [bearer(), session])
    refuses(await ann.get('/both', { headers: header }), 'CRUDAUTH_FORBIDDEN')
  })
})

describe('gates over bearer tokens', () => {
  test('WWW-Authenticate: follows RFC 6750 for a missing or invalid token and missing scopes', async (t) => {
    const { app, ann, bob } = await annAndBob(t, [
      session,
      bearer({ defaultScopes: ['reports:read'] }),
    ])
    const challenge = async (url: string, headers: Record<string, string> = {}) => {
      const response = await app.inject({ method: 'GET', url, headers })
      return [response.statusCode, response.headers['www-authenticate']]
    }
    const good = authorization(bob.access_token)
    const expired = authorization(
      forge(headerOf(bob.access_token), { ...claimsOf(bob.access_token), exp: 1 }),
    )
    for (const url of ['/own', '/by-bearer', '/by-session', '/sudo', '/fresh', '/reports', '/me']) {
      assert.deepEqual(await challenge(url), [401, 'Bearer'], url)
    }
    for (const url of ['/own', '/by-bearer', '/sudo', '/fresh', '/reports', '/me']) {
      for (const headers of [expired, authorization('forged'), { authorization: 'bearer' }]) {
        assert.deepEqual(await challenge(url, headers), [401, 'Bearer error="invalid_token"'], url)
      }
    }
    assert.deepEqual(await challenge('/reports', good), [
      403,
      'Bearer error="insufficient_scope", scope="reports:read reports:list"',
    ])
    for (const url of ['/by-session', '/both'])
      assert.deepEqual(
        await challenge(url, good),
        [401, 'Bearer'],
        'the token is valid, but this route does not accept it',
      )
    for (const url of ['/own', '/by-bearer', '/fresh'])
      assert.deepEqual(await challenge(url, good), [200, undefined], url)
    assert.deepEqual(await challenge('/sudo', good), [403, undefined])
    assert.equal(
      (await ann.get('/reports')).headers['www-authenticate'],
      'Bearer error="insufficient_scope", scope="reports:read reports:list"',
    )
    assert.deepEqual(await challenge('/nowhere', good), [404, undefined])
  })

  test('WWW-Authenticate: a wrong current password does not mark the token as invalid', async (t) => {
    const app = await bearerApp(t, null)
    const { access_token } = await signedInBearer(app)
    const payload = { current_password: 'wrong password', new_password: 'another good one' }
    const response = await asBearer(app, access_token, '/change-password', {
      method: 'POST',
      payload,
    })
    refusesOwn(response, 'CRUDAUTH_WRONG_PASSWORD')
    assert.equal(response.headers['www-authenticate'], 'Bearer')
  })

  test('WWW-Authenticate: absent without a bearer transport', async (t) => {
    const app = await build(t, { routes: mountRoutes })
    const response = await app.inject({ method: 'GET', url: '/own', headers: authorization('x') })
    refuses(response, 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal(response.headers['www-authenticate'], undefined)
  })

  test('scopes: all are required and compared exactly, without prefixes or wildcards', async (t) => {
    const scopes = ['reports:read', 'reports:list']
    const { app } = await annAndBob(t, [
      session,
      bearer({ grantableScopes: [...scopes, 'reports', 'reports:*', '*'] }),
    ])
    for (const [scope, status] of [
      ['reports:read reports:list', 200],
      ['reports:list reports:read', 200],
      ['reports:read', 403],
      ['reports', 403],
      ['reports:* *', 403],
      ['', 403],
    ] as const) {
      const { access_token } = tokensOf(await askToken(app, 'bob', { scope }))
      assert.equal((await asBearer(app, access_token, '/reports')).statusCode, status, scope)
    }
  })

  test('session-only routes: a bearer caller gets 401, and its token family stays valid', async (t) => {
    const { app, bob, header } = await annAndBob(t, [session, bearer()])
    const handle = (await app.crudAuth.sessions.list(2))[0]?.sessionId ?? ''
    for (const [method, url] of [
      ['GET', '/sessions'],
      ['DELETE', `/sessions/${handle}`],
      ['POST', '/logout-all'],
      ['POST', '/csrf/refresh'],
      ['POST', '/logout'],
      ['GET', '/by-session'],
    ] as const) {
      const response = await app.inject({ method, url, headers: header })
      refuses(response, 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal(response.headers['www-authenticate'], 'Bearer', url)
    }
    answers(await askRefresh(app, bob.refresh_token), 200)
  })

  test('requireSudo: an access token is 403 and cannot be elevated', async (t) => {
    const { app, bob, header } = await annAndBob(t, [session, bearer()])
    refuses(await asBearer(app, bob.access_token, '/sudo'), 'CRUDAUTH_SUDO_REQUIRED')
    refuses(
      await app.inject({ method: 'POST', url: '/elevate', headers: header }),
      'CRUDAUTH_SUDO_REQUIRED',
    )
    refuses(await app.inject({ method: 'GET', url: '/sudo' }), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('requireFresh: uses auth_time, which a refresh does not renew', async (t) => {
    const app = await bearerApp(
      t,
      null,
      { accessSeconds: 3600 },
      { freshSeconds: 60 },
      { routes: mountRoutes },
    )
    const bob = await signedInBearer(app, 'bob')
    assert.equal((await asBearer(app, bob.access_token, '/fresh')).statusCode, 200)
    const now = Date.now
    t.mock.method(Date, 'now', () => now() + 61_000)
    refuses(await asBearer(app, bob.access_token, '/fresh'), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
    const next = tokensOf(await askRefresh(app, bob.refresh_token))
    refuses(await asBearer(app, next.access_token, '/fresh'), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
    const payload = { new_password: 'another good one' }
    refuses(
      await asBearer(app, next.access_token, '/set-password', { method: 'POST', payload }),
      'CRUDAUTH_PASSWORD_EXISTS',
    )
    assert.equal(
      (await asBearer(app, tokensOf(await askToken(app, 'bob')).access_token, '/fresh')).statusCode,
      200,
    )
  })

  test('POST /set-password: accepts a fresh access token and ends all earlier tokens', async (t) => {
    const users = memoryUsers()
    const app = await bearerApp(t, null, {}, { users })
    await new Client(app).register('ann')
    await users.update(1, { hashedPassword: app.crudAuth.passwords.unusable() })
    const user = await users.findById(1)
    assert.ok(user)
    const { accessToken, refreshToken = '' } = await app.crudAuth.issueTokens(user)
    const payload = { new_password: 'another good one' }
    answers(await asBearer(app, accessToken, '/set-password', { method: 'POST', payload }), 200)
    refuses(await asBearer(app, accessToken), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await askRefresh(app, refreshToken), 'CRUDAUTH_INVALID_TOKEN')
    answers(await askToken(app, 'ann', { password: payload.new_password }), 200)
  })

  test('POST /change-password: ends the caller’s own tokens and every session of the user', async (t) => {
    const { app, ann } = await annAndBob(t, [session, bearer()])
    const hers = tokensOf(await askToken(app, 'ann'))
    const payload = { current_password: password, new_password: 'another good one' }
    answers(
      await asBearer(app, hers.access_token, '/change-password', { method: 'POST', payload }),
      200,
    )
    refuses(await asBearer(app, hers.access_token), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await askRefresh(app, hers.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
    refuses(await ann.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('currentUser: naming an unregistered transport is 500, even if the gate is optional', async (t) => {
    const app = await build(t, { routes: mountRoutes })
    for (const url of ['/by-bearer', '/maybe-by-bearer'])
      refuses(await app.inject({ method: 'GET', url }), 'CRUDAUTH_INTERNAL')
  })

  test('custom transport: works beside session and bearer, in its place in the order', async (t) => {
    const apiKeys: Transport = {
      name: 'api-key',
      securityScheme: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      async authenticate(request, auth) {
        if (request.headers['x-api-key'] !== 'key of ann') return null
        const user = await auth.users.findBy('username', 'ann')
        return (
          user &&
          auth.createPrincipal(user, {
            transport: 'api-key',
            scopes: ['reports:read', 'reports:list'],
          })
        )
      },
    }
    const { app, ann, header } = await annAndBob(t, [bearer(), apiKeys, session])
    const key = { 'x-api-key': 'key of ann' }
    assert.deepEqual((await app.inject({ method: 'GET', url: '/own', headers: key })).json(), {
      who: 1,
      via: 'api-key',
    })
    assert.deepEqual(
      (await app.inject({ method: 'GET', url: '/own', headers: { ...key, ...header } })).json(),
      {
        who: 2,
        via: 'bearer',
      },
    )
    assert.deepEqual((await ann.get('/own')).json(), { who: 1, via: 'session' })
    assert.deepEqual((await ann.get('/own', { headers: key })).json(), { who: 1, via: 'api-key' })
    assert.deepEqual((await ann.get('/own', { headers: { ...key, ...header } })).json(), {
      who: 2,
      via: 'bearer',
    })
    assert.equal(
      (await app.inject({ method: 'GET', url: '/reports', headers: key })).statusCode,
      200,
    )
    refuses(
      await app.inject({ method: 'GET', url: '/by-bearer', headers: key }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    refuses(
      await app.inject({ method: 'GET', url: '/fresh', headers: key }),
      'CRUDAUTH_FRESH_SIGN_IN_REQUIRED',
    )
  })
})

describe('user queries per request', () => {
  const gates = (app: FastifyInstance) => {
    mountRoutes(app)
    app.get(
      '/many',
      {
        onRequest: [app.currentUser(), app.requireFresh],
        preHandler: app.currentUser({ transport: 'bearer' }),
      },
      async (request) => ({
        who: request.principal.userId,
      }),
    )
    app.get('/user', { onRequest: app.currentUser() }, async (request) => request.principal.user)
  }

  test('bearer: one findById per request, however many gates it passes', async (t) => {
    const { store, calls } = countingUsers()
    const app = await bearerApp(t, null, {}, { users: store }, { routes: gates })
    const { access_token } = await signedInBearer(app)
    for (const url of ['/own', '/many', '/me', '/optional', '/user']) {
      const before = { ...calls }
      assert.equal((await asBearer(app, access_token, url)).statusCode, 200)
      assert.deepEqual(calls, { ...before, findById: before.findById + 1 }, url)
    }
    const before = { ...calls }
    for (const token of [
      'forged',
      forge(headerOf(access_token), { ...claimsOf(access_token), exp: 1 }),
    ])
      await asBearer(app, token, '/own')
    assert.deepEqual(calls, before, 'forged and expired tokens cost no query')
  })

  test('statelessUser: gates never query users, principal.user throws, GET /me loads the row', async (t) => {
    const { store, calls } = countingUsers()
    const app = await bearerApp(
      t,
      null,
      { statelessUser: true, defaultScopes: ['read'] },
      { users: store },
      { routes: gates },
    )
    await new Client(app).register('ann')
    await store.update(1, { isSuperuser: true, emailVerified: true })
    const { access_token, refresh_token } = tokensOf(await askToken(app))
    app.log.level = 'silent'
    const before = { ...calls }
    for (const url of ['/own', '/many', '/optional', '/fresh']) {
      const response = await asBearer(app, access_token, url)
      assert.equal(response.json().who, 1, url)
    }
    refuses(await asBearer(app, access_token, '/sudo'), 'CRUDAUTH_SUDO_REQUIRED')
    refuses(
      await app.inject({ method: 'POST', url: '/elevate', headers: authorization(access_token) }),
      'CRUDAUTH_SUDO_REQUIRED',
    )
    const thrown = await asBearer(app, access_token, '/user')
    assert.equal(thrown.statusCode, 500)
    refuses(thrown, 'CRUDAUTH_INTERNAL')
    assert.deepEqual(calls, before)

    assert.deepEqual(answers(await asBearer(app, access_token), 200), {
      id: 1,
      user_id: 1,
      username: 'ann',
      email: 'ann@example.com',
      email_verified: true,
      has_password: true,
      is_superuser: true,
      scopes: ['read'],
      via: 'bearer',
    })
    assert.equal(calls.findById, before.findById + 1)
    const payload = { current_password: password, new_password: 'another good one' }
    answers(await asBearer(app, access_token, '/change-password', { method: 'POST', payload }), 200)
    assert.equal(
      (await asBearer(app, access_token, '/own')).statusCode,
      200,
      'valid until it expires',
    )
    refuses(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
  })

  test('statelessUser: rights come from the token and change with the next refresh', async (t) => {
    const users = memoryUsers()
    const routes = (app: FastifyInstance) => {
      app.get('/super', { onRequest: app.currentUser({ superuser: true }) }, async () => ({}))
      app.get('/verified', { onRequest: app.currentUser({ verified: true }) }, async () => ({}))
      app.get('/flags', { onRequest: app.currentUser() }, async ({ principal }) => {
        const { isSuperuser, emailVerified, recoveryVerified } = principal
        return [isSuperuser, emailVerified, recoveryVerified]
      })
    }
    const app = await bearerApp(t, null, { statelessUser: true }, { users }, { routes })
    const plain = await signedInBearer(app)
    for (const url of ['/super', '/verified'])
      assert.equal((await asBearer(app, plain.access_token, url)).statusCode, 403)
    await users.update(1, { isSuperuser: true, emailVerified: true })
    const next = tokensOf(await askRefresh(app, plain.refresh_token))
    for (const url of ['/super', '/verified']) {
      assert.equal((await asBearer(app, plain.access_token, url)).statusCode, 403)
      assert.equal((await asBearer(app, next.access_token, url)).statusCode, 200)
    }
    const flags = async (token: string) => (await asBearer(app, token, '/flags')).json()
    assert.deepEqual(await flags(plain.access_token), [false, false, false])
    assert.deepEqual(await flags(next.access_token), [true, true, true])
  })

  test('statelessUser: routes that load the row refuse an old epoch, an inactive and a deleted user', async (t) => {
    const users = memoryUsers()
    const app = await bearerApp(t, null, { statelessUser: true }, { users })
    const { access_token } = await signedInBearer(app)
    await users.update(1, { tokenVersion: 1 })
    refuses(await asBearer(app, access_token), 'CRUDAUTH_UNAUTHENTICATED')
    const payload = { new_password: 'another good one' }
    await users.update(1, { hashedPassword: app.crudAuth.passwords.unusable() })
    refuses(
      await asBearer(app, access_token, '/set-password', { method: 'POST', payload }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    const again = await app.crudAuth.issueTokens((await users.findById(1)) as never)
    answers(await asBearer(app, again.accessToken), 200)
    await users.update(1, { isActive: false })
    refuses(await asBearer(app, again.accessToken), 'CRUDAUTH_UNAUTHENTICATED')
    await users.update(1, { isActive: true })
    answers(await asBearer(app, again.accessToken), 200)
    users.findById = async () => null
    refuses(await asBearer(app, again.accessToken), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await askRefresh(app, again.refreshToken ?? ''), 'CRUDAUTH_INVALID_TOKEN')
  })
})

for (const backend of backends) {
  describe(`${backend.name}: mounting some of the route groups`, () => {
    test("routes: ['bearer'] mounts /token and /refresh and nothing else", async (t) => {
      const app = await bearerApp(
        t,
        backend,
        {},
        { routes: ['bearer'], prefix: '/auth' },
        { routes: mountRoutes },
      )
      const user = await app.crudAuth.users.create({
        email: 'ann@example.com',
        username: 'ann',
        hashedPassword: await app.crudAuth.passwords.hash(password),
      })
      const tokens = tokensOf(await askToken(app, 'ann', {}, '/auth/token'))
      assert.equal((await asBearer(app, tokens.access_token, '/own')).statusCode, 200)
      const next = tokensOf(await askRefresh(app, tokens.refresh_token, '/auth/refresh'))
      assert.equal((await asBearer(app, next.access_token, '/by-bearer')).statusCode, 200)
      for (const [method, url] of [
        ['GET', '/auth/me'],
        ['POST', '/auth/login'],
        ['POST', '/auth/logout'],
        ['POST', '/auth/register'],
        ['GET', '/auth/sessions'],
        ['GET', '/.well-known/jwks.json'],
        ['POST', '/token'],
        ['GET', '/auth/token'],
      ] as const) {
        assert.equal((await app.inject({ method, url })).statusCode, 404, url)
      }
      assert.ok(user)
    })

    test('route groups: mounted one by one under own prefixes, they share users and gates', async (t) => {
      const app = await build(t, {
        auth: {
          ...backend.options(),
          routes: false,
          transports: [
            session,
            bearerTransport({ refresh: 'cookie', refreshCookiePath: '/api/tokens' }),
          ],
        },
        async routes(app) {
          await app.register(accountRoutes, { prefix: '/accounts' })
          await app.register(sessionRoutes, { prefix: '/web' })
          await app.register(
            async (api) => void (await api.register(bearerRoutes, { prefix: '/tokens' })),
            { prefix: '/api' },
          )
          mountRoutes(app)
        },
      })
      answers(await new Client(app, '/accounts').register('ann'), 201)
      const client = new Client(app)
      const response = await client.post('/api/tokens/token', { username: 'ann', password })
      const { access_token } = answers(response, 200)
      assert.match(
        String(response.headers['set-cookie']),
        /^crudauth_refresh=[^;]+;.*Path=\/api\/tokens;/,
      )
      answers(await client.post('/api/tokens/refresh'), 200)
      answers(await asBearer(app, access_token, '/accounts/me'), 200)
      assert.equal((await asBearer(app, access_token, '/own')).statusCode, 200)
      assert.equal((await app.inject({ method: 'POST', url: '/token' })).statusCode, 404)
      answers(await client.form('/web/login', { username: 'ann', password }), 200)
    })
  })
}

test('with routes: false, tokens from issueTokens pass the gates, revokeAll ends their family', async (t) => {
  const routes = (app: FastifyInstance) => {
    mountRoutes(app)
    app.post('/renew', (request) =>
      app.crudAuth.refreshTokens(request, (request.body as { token: string }).token),
    )
  }
  const app = await bearerApp(t, null, {}, { routes: false }, { routes })
  const user = await app.crudAuth.users.create({
    email: 'a@example.com',
    username: 'ann',
    hashedPassword: app.crudAuth.passwords.unusable(),
  })
  const { accessToken, refreshToken } = await app.crudAuth.issueTokens(user)
  assert.deepEqual((await asBearer(app, accessToken, '/own')).json(), { who: 1, via: 'bearer' })
  assert.equal((await postJson(app, '/refresh', {})).statusCode, 404)
  const renewed = await postJson(app, '/renew', { token: refreshToken })
  assert.equal(renewed.statusCode, 200)
  assert.equal(await app.crudAuth.sessions.revokeAll(1), 1)
  refuses(
    await postJson(app, '/renew', { token: renewed.json().refreshToken }),
    'CRUDAUTH_INVALID_TOKEN',
  )
  assert.deepEqual(await app.crudAuth.sessions.list(1), [])
})

test('exported gates: 500 outside the plugin’s context, but may be built before the plugin', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  app.get('/elsewhere', { onRequest: currentUser({ transport: 'bearer' }) }, async () => 'never')
  await app.register(async (child) => {
    child.get('/early', { onRequest: [currentUser(), requireFresh] }, async (request) => ({
      who: request.principal.userId,
    }))
    await child.register(crudAuth, {
      secret,
      users: memoryUsers(),
      transports: [bearer()],
      passwords: { cost: cheap },
    })
  })
  await app.ready()
  assert.equal(
    (await app.inject({ method: 'GET', url: '/elsewhere', headers: authorization('x') }))
      .statusCode,
    500,
  )
  const { access_token } = await signedInBearer(app)
  assert.equal((await asBearer(app, access_token, '/early')).statusCode, 200)
  refuses(await asBearer(app, 'forged', '/early'), 'CRUDAUTH_INVALID_TOKEN')
})

test('app-wide gate: /register, /token, /refresh and /logout stay open', async (t) => {
  const guarded = await build(t, {
    auth: { transports: [bearer()], routes: false },
    async routes(app) {
      app.addHook('onRequest', app.currentUser())
      await app.register(accountRoutes)
      await app.register(bearerRoutes)
      await app.register(sessionRoutes)
      app.get('/own', async (request) => ({ who: request.principal.userId }))
    },
  })
  const { access_token, refresh_token } = await signedInBearer(guarded)
  assert.equal((await asBearer(guarded, access_token, '/own')).statusCode, 200)
  refuses(await guarded.inject({ method: 'GET', url: '/own' }), 'CRUDAUTH_UNAUTHENTICATED')
  const next = tokensOf(await askRefresh(guarded, refresh_token))
  answers(await postJson(guarded, '/logout', { refresh_token: next.refresh_token }), 200)
})

test('gates: 200 concurrent requests of 8 users each get their own principal', async (t) => {
  const app = await bearerApp(t, null, {}, {}, { routes: mountRoutes })
  const tokens: string[] = []
  for (let n = 0; n < 8; n++) tokens.push((await signedInBearer(app, `user${n}`)).access_token)
  const responses = await Promise.all(times(200, (n) => asBearer(app, tokens[n % 8] ?? '', '/own')))
  responses.forEach(
    (response, n) => void assert.deepEqual(response.json(), { who: (n % 8) + 1, via: 'bearer' }),
  )
})
