import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import crudAuth, {
  type CurrentUserOptions,
  currentUser,
  InvalidTokenError,
  memoryUsers,
  type Principal,
  requireFresh,
  requireSudo,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, captureLogs, cheap, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'
import { countingUsers } from '../helpers/users.js'

/**
 * The API key transport of the docs. Without a header the credential is absent. An unknown key has
 * ended, and a malformed one was tampered with.
 */
function apiKeys(calls: { count: number } = { count: 0 }): Transport {
  return {
    name: 'key',
    securityScheme: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    async authenticate(request, auth) {
      calls.count++
      const key = request.headers['x-api-key']
      if (typeof key !== 'string') return null
      const match = /^key-(\w+)$/.exec(key)
      if (!match) throw new InvalidTokenError()
      const user = await auth.users.findBy('username', match[1])
      return user
        ? auth.createPrincipal(user, {
            transport: 'key',
            scopes: ['read'],
            metadata: { key: match[1] },
          })
        : null
    },
  }
}

const guarded =
  (options: CurrentUserOptions, method: 'GET' | 'POST' = 'GET') =>
  (app: FastifyInstance) =>
    void app.route({
      method,
      url: '/guarded',
      onRequest: app.currentUser(options),
      handler: async (request) => ({
        id: request.maybePrincipal?.userId ?? null,
        via: request.maybePrincipal?.transport ?? null,
      }),
    })

describe('currentUser()', () => {
  test('currentUser: request.principal has the user, transport, scopes, flags and session handle', async (t) => {
    let seen: Principal | undefined
    const app = await build(t, {
      auth: { transports: [sessionTransport({ scopes: ['a', 'b'] })] },
      routes: (app) =>
        void app.get('/p', { preHandler: app.currentUser() }, async (request) => {
          seen = request.principal
          assert.equal(request.maybePrincipal, request.principal)
          return {}
        }),
    })
    const client = await signedIn(app, 'ann')
    await client.get('/p')
    assert.equal(seen?.userId, 1)
    assert.equal(seen?.user.username, 'ann')
    assert.equal(seen?.transport, 'session')
    assert.deepEqual(seen?.scopes, ['a', 'b'])
    assert.deepEqual(
      [seen?.isSuperuser, seen?.emailVerified, seen?.recoveryVerified],
      [false, false, false],
    )
    assert.match(String(seen?.sessionId), /^[\w-]{43}$/)
    assert.deepEqual(seen?.metadata, {})
    assert.deepEqual(
      [
        seen?.hasScopes('a'),
        seen?.hasScopes('a', 'b'),
        seen?.hasScopes('a', 'c'),
        seen?.hasScopes(),
      ],
      [true, true, false, true],
    )
    assert.deepEqual([seen?.hasScopes(['a', 'b']), seen?.hasScopes(['a', 'c'])], [true, false])
  })

  test('currentUser: the principal carries the metadata given to sessions.create', async (t) => {
    const app = await build(t, {
      routes(app) {
        app.post('/enter', async (request, reply) => {
          const user = await app.crudAuth.authenticatePassword(request, 'ann', password)
          const session = await app.crudAuth.sessions.create(request, user, {
            metadata: { tenant: 7 },
            rememberMe: true,
          })
          app.crudAuth.sessions.setCookies(request, reply, session)
          return { csrf: session.csrfToken }
        })
        app.get(
          '/tenant',
          { onRequest: app.currentUser() },
          async (request) => request.principal.metadata,
        )
      },
    })
    const client = new Client(app)
    await client.register('ann')
    await client.post('/enter')
    assert.deepEqual((await client.get('/tenant')).json(), { tenant: 7 })
  })

  describe('superuser', () => {
    test('superuser: only superusers pass, whatever type the driver returns', async (t) => {
      const app = await build(t, { routes: guarded({ superuser: true }) })
      const client = await signedIn(app, 'ann')
      refuses(await new Client(app).get('/guarded'), 'CRUDAUTH_UNAUTHENTICATED')
      refuses(await client.get('/guarded'), 'CRUDAUTH_FORBIDDEN')
      for (const value of [1, '1', 'true', 1n]) {
        await app.crudAuth.users.update(1, { isSuperuser: value })
        assert.equal((await client.get('/guarded')).statusCode, 200, String(value))
      }
      for (const value of [null, 0, '0', 'false', '', {}, 'yes']) {
        await app.crudAuth.users.update(1, { isSuperuser: value })
        refuses(await client.get('/guarded'), 'CRUDAUTH_FORBIDDEN')
      }
    })

    test('superuser: everyone is refused if the user model has no such field', async (t) => {
      const users = memoryUsers({ fields: ['email', 'username', 'hashedPassword'] })
      const app = await build(t, { auth: { users }, routes: guarded({ superuser: true }) })
      refuses(await (await signedIn(app, 'ann')).get('/guarded'), 'CRUDAUTH_FORBIDDEN')
    })
  })

  describe('verified', () => {
    test('verified: the recovery field must be verified', async (t) => {
      const app = await build(t, { routes: guarded({ verified: true }) })
      const client = await signedIn(app, 'ann')
      refuses(await client.get('/guarded'), 'CRUDAUTH_NOT_VERIFIED')
      await app.crudAuth.users.update(1, { emailVerified: true })
      assert.equal((await client.get('/guarded')).statusCode, 200)
    })

    test('verified: checks the email without a recovery field, refuses if nothing can be verified', async (t) => {
      const app = await build(t, {
        auth: { identity: { recovery: null } },
        routes: guarded({ verified: true }),
      })
      const client = await signedIn(app, 'ann')
      refuses(await client.get('/guarded'), 'CRUDAUTH_NOT_VERIFIED')
      await app.crudAuth.users.update(1, { emailVerified: true })
      assert.equal((await client.get('/guarded')).statusCode, 200)
      const bare = await build(t, {
        auth: { users: memoryUsers({ fields: ['email', 'username', 'hashedPassword'] }) },
        routes: guarded({ verified: true }),
      })
      refuses(await (await signedIn(bare, 'ann')).get('/guarded'), 'CRUDAUTH_NOT_VERIFIED')
    })
  })

  describe('scopes', () => {
    test('scopes: every listed scope is required', async (t) => {
      for (const [held, needed, passes] of [
        [['a', 'b'], ['a'], true],
        [['a', 'b'], ['a', 'b'], true],
        [['a'], ['a', 'b'], false],
        [[], ['a'], false],
        [[], [], true],
        [['ab'], ['a'], false],
      ] as const) {
        const app = await build(t, {
          auth: { transports: [sessionTransport({ scopes: held })] },
          routes: guarded({ scopes: needed }),
        })
        const response = await (await signedIn(app, 'ann')).get('/guarded')
        if (passes) assert.equal(response.statusCode, 200)
        else refuses(response, 'CRUDAUTH_INSUFFICIENT_SCOPE')
      }
    })

    test('scopes: a superuser needs them too', async (t) => {
      const app = await build(t, { routes: guarded({ scopes: ['a'] }) })
      const client = await signedIn(app, 'ann')
      await app.crudAuth.users.update(1, { isSuperuser: true })
      refuses(await client.get('/guarded'), 'CRUDAUTH_INSUFFICIENT_SCOPE')
    })
  })

  describe('check', () => {
    for (const value of [
      false,
      undefined,
      null,
      0,
      1,
      '',
      'true',
      {},
      [],
      Promise.resolve('yes'),
    ]) {
      test(`check: a result of ${value instanceof Promise ? 'a promise of "yes"' : JSON.stringify(value)} denies access`, async (t) => {
        const app = await build(t, { routes: guarded({ check: () => value as boolean }) })
        refuses(await (await signedIn(app, 'ann')).get('/guarded'), 'CRUDAUTH_FORBIDDEN')
      })
    }

    test('check: a result of true, without a promise, lets the request pass', async (t) => {
      const app = await build(t, { routes: guarded({ check: () => true }) })
      assert.equal((await (await signedIn(app, 'ann')).get('/guarded')).statusCode, 200)
    })

    test('check: gets the principal and the request, and a promise of true lets the request pass', async (t) => {
      const seen: [unknown, unknown][] = []
      const check = async (principal: Principal, request: FastifyRequest) => {
        seen.push([principal.userId, request.url])
        return true
      }
      const app = await build(t, { routes: guarded({ check }) })
      const client = await signedIn(app, 'ann')
      assert.equal((await client.get('/guarded?x=1')).statusCode, 200)
      assert.deepEqual(seen, [[1, '/guarded?x=1']])
    })

    test('check: its error becomes the response, and anonymous requests skip it', async (t) => {
      let asked = 0
      const app = await build(t, {
        routes: guarded({
          optional: true,
          check() {
            asked++
            throw Object.assign(new Error('pay first'), { statusCode: 402 })
          },
        }),
      })
      assert.equal((await app.inject('/guarded')).statusCode, 200)
      assert.equal(asked, 0)
      const response = await (await signedIn(app, 'ann')).get('/guarded')
      assert.equal(response.statusCode, 402)
      assert.equal(response.json().message, 'pay first')
    })
  })

  describe('optional', () => {
    test('optional: a missing or ended session passes as anonymous, a live one as its user', async (t) => {
      const app = await build(t, { routes: guarded({ optional: true }) })
      assert.deepEqual((await app.inject('/guarded')).json(), { id: null, via: null })
      const client = await signedIn(app, 'ann')
      assert.deepEqual((await client.get('/guarded')).json(), { id: 1, via: 'session' })
      const held = new Map(client.cookies)
      await client.post('/logout')
      for (const [name, value] of held) client.cookies.set(name, value)
      assert.deepEqual((await client.get('/guarded')).json(), { id: null, via: null })
    })

    test('optional: a signed-in user who fails the other conditions is still refused', async (t) => {
      const app = await build(t, { routes: guarded({ optional: true, superuser: true }) })
      assert.equal((await app.inject('/guarded')).statusCode, 200)
      refuses(await (await signedIn(app, 'ann')).get('/guarded'), 'CRUDAUTH_FORBIDDEN')
    })
  })

  describe('invalid options', () => {
    for (const [what, options] of [
      ['an unknown option', { superUser: true }],
      ['a string for optional', { optional: 'yes' }],
      ['a string for scopes', { scopes: 'read' }],
      ['an empty scope', { scopes: [''] }],
      ['a check that is not a function', { check: true }],
      ['an empty transport name', { transport: '' }],
      ['an array', []],
      ['null', null],
    ] as const) {
      test(`currentUser: ${what} is rejected when the gate is built`, async (t) => {
        const app = await build(t)
        const expected = { code: 'CRUDAUTH_CONFIG' }
        assert.throws(() => app.currentUser(options as CurrentUserOptions), expected)
        assert.throws(() => currentUser(options as CurrentUserOptions), expected)
      })
    }
  })
})

describe('transport order', () => {
  const both = (order: 'key first' | 'session first', calls?: { count: number }) => {
    const pair = [apiKeys(calls), sessionTransport({ managementRoutes: true })]
    return { transports: order === 'key first' ? pair : pair.reverse() }
  }

  for (const backend of backends) {
    test(`${backend.name}: the first credential present wins`, async (t) => {
      for (const [order, via] of [
        ['key first', 'key'],
        ['session first', 'session'],
      ] as const) {
        const app = await build(t, { auth: { ...both(order), ...backend.options() } })
        const client = await signedIn(app, 'ann')
        const body = answers(await client.get('/me', { headers: { 'x-api-key': 'key-ann' } }), 200)
        assert.equal(body.via, via)
      }
    })

    test(`${backend.name}: after an absent or ended credential the next transport is tried`, async (t) => {
      const app = await build(t, { auth: { ...both('session first'), ...backend.options() } })
      const headers = { 'x-api-key': 'key-ann' }
      const client = await signedIn(app, 'ann')
      assert.equal(answers(await app.inject({ url: '/me', headers }), 200).via, 'key')
      const held = new Map(client.cookies)
      await client.post('/logout')
      for (const [name, value] of held) client.cookies.set(name, value)
      assert.equal(answers(await client.get('/me', { headers }), 200).via, 'key')
      const keyFirst = await build(t, { auth: { ...both('key first'), ...backend.options() } })
      const other = await signedIn(keyFirst, 'ann')
      assert.equal(
        answers(await other.get('/me', { headers: { 'x-api-key': 'key-nobody' } }), 200).via,
        'session',
      )
    })

    test(`${backend.name}: a tampered credential fails the request, on an optional route too`, async (t) => {
      for (const order of ['key first', 'session first'] as const) {
        const app = await build(t, {
          auth: { ...both(order), ...backend.options() },
          routes: guarded({ optional: true }),
        })
        refuses(
          await app.inject({ url: '/guarded', headers: { 'x-api-key': 'garbage' } }),
          'CRUDAUTH_INVALID_TOKEN',
        )
        const client = await signedIn(app, 'ann')
        const response = await client.get('/guarded', { headers: { 'x-api-key': 'garbage' } })
        if (order === 'key first') refuses(response, 'CRUDAUTH_INVALID_TOKEN')
        // A live session authenticates the request; later transports are not tried.
        else assert.equal(response.json().via, 'session')
      }
    })

    test(`${backend.name}: a session without its CSRF header is 403, even with a valid API key`, async (t) => {
      const app = await build(t, {
        auth: { ...both('session first'), ...backend.options() },
        routes: guarded({}, 'POST'),
      })
      const client = await signedIn(app, 'ann')
      client.csrf = null
      refuses(
        await client.post('/guarded', {}, { headers: { 'x-api-key': 'key-ann' } }),
        'CRUDAUTH_CSRF',
      )
      const keyOnly = await app.inject({
        method: 'POST',
        url: '/guarded',
        headers: { 'x-api-key': 'key-ann' },
      })
      assert.deepEqual(keyOnly.json(), { id: 1, via: 'key' })
    })

    test(`${backend.name}: a gate for one transport ignores the others`, async (t) => {
      const app = await build(t, {
        auth: { ...both('session first'), ...backend.options() },
        routes(app) {
          for (const transport of ['session', 'key']) {
            app.post(
              `/${transport}`,
              { onRequest: app.currentUser({ transport }) },
              async (request) => request.principal.transport,
            )
          }
        },
      })
      const client = await signedIn(app, 'ann')
      const headers = { 'x-api-key': 'key-ann' }
      refuses(await client.post('/key'), 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal((await client.post('/key', undefined, { headers })).body, 'key')
      assert.equal((await client.post('/session', undefined, { headers })).body, 'session')
      refuses(
        await app.inject({ method: 'POST', url: '/session', headers }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
      // The session transport is not tried, so the missing CSRF header does not matter.
      client.csrf = null
      assert.equal((await client.post('/key', undefined, { headers })).body, 'key')
      refuses(
        await client.post('/session', undefined, { headers: { 'x-api-key': 'garbage' } }),
        'CRUDAUTH_CSRF',
      )
    })

    test(`${backend.name}: session-only routes are 401 for an API key`, async (t) => {
      const app = await build(t, { auth: { ...both('key first'), ...backend.options() } })
      const headers = { 'x-api-key': 'key-ann' }
      await new Client(app).register('ann')
      for (const [method, url] of [
        ['GET', '/sessions'],
        ['DELETE', '/sessions/x'],
        ['POST', '/logout-all'],
        ['POST', '/csrf/refresh'],
        ['POST', '/logout'],
      ] as const) {
        refuses(await app.inject({ method, url, headers }), 'CRUDAUTH_UNAUTHENTICATED')
      }
    })

    test(`${backend.name}: POST /change-password: an API key needs no CSRF token, and sessions end`, async (t) => {
      const app = await build(t, { auth: { ...both('key first'), ...backend.options() } })
      const client = await signedIn(app, 'ann')
      const response = await app.inject({
        method: 'POST',
        url: '/change-password',
        headers: { 'x-api-key': 'key-ann' },
        payload: { current_password: password, new_password: 'another good phrase' },
      })
      answers(response, 200)
      refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })
  }

  test('createPrincipal: null for a disabled account, so the request is 401', async (t) => {
    const app = await build(t, { auth: both('key first') })
    await new Client(app).register('ann')
    await app.crudAuth.users.update(1, { isActive: false })
    refuses(
      await app.inject({ url: '/me', headers: { 'x-api-key': 'key-ann' } }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    assert.equal(
      app.crudAuth.createPrincipal((await app.crudAuth.users.findById(1)) as never, {
        transport: 'x',
      }),
      null,
    )
  })

  test('requireFresh: a principal without an authentication time is not fresh', async (t) => {
    const app = await build(t, {
      auth: both('key first'),
      routes: (app) => void app.post('/keys', { onRequest: app.requireFresh }, async () => 'added'),
    })
    await new Client(app).register('ann')
    const response = await app.inject({
      method: 'POST',
      url: '/keys',
      headers: { 'x-api-key': 'key-ann' },
    })
    refuses(response, 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
  })

  test('transports: without sessionTransport, GET /me works and POST /login is 404', async (t) => {
    const app = await build(t, { auth: { transports: [apiKeys()] } })
    await new Client(app).register('ann')
    assert.equal(
      answers(await app.inject({ url: '/me', headers: { 'x-api-key': 'key-ann' } }), 200).via,
      'key',
    )
    assert.equal((await new Client(app).login('ann')).statusCode, 404)
    assert.throws(() => app.crudAuth.sessions.clearCookies(undefined as never), {
      code: 'CRUDAUTH_CONFIG',
    })
  })

  test('transports: the routes of a transport are mounted under the prefix', async (t) => {
    const withRoutes: Transport = {
      ...apiKeys(),
      routes: async (app) => void app.get('/keys', async () => 'mine'),
    }
    const app = await build(t, {
      auth: { prefix: '/auth', transports: [withRoutes, sessionTransport()] },
    })
    assert.equal((await app.inject('/auth/keys')).body, 'mine')
  })

  test('transports: a user store that fails or hangs in a custom transport is 503', async (t) => {
    const users = memoryUsers()
    let findBy: (typeof users)['findBy'] = users.findBy
    const app = await build(t, {
      auth: {
        users: { ...users, findBy: (field, value) => findBy(field, value) },
        transports: [apiKeys()],
        timeouts: { usersMs: 50 },
      },
      routes: guarded({ optional: true }),
    })
    await new Client(app).register('ann')
    const headers = { 'x-api-key': 'key-ann' }
    assert.equal((await app.inject({ url: '/guarded', headers })).json().id, 1)
    findBy = () =>
      Promise.reject(new Error('SELECT * FROM accounts: connect ECONNREFUSED 10.0.0.7'))
    refuses(await app.inject({ url: '/guarded', headers }), 'CRUDAUTH_UNAVAILABLE', [
      'SELECT',
      '10.0.0.7',
    ])
    findBy = () => new Promise(() => {})
    refuses(await app.inject({ url: '/guarded', headers }), 'CRUDAUTH_UNAVAILABLE')
    await assert.rejects(app.crudAuth.users.findBy('username', 'ann'), {
      code: 'CRUDAUTH_UNAVAILABLE',
    })
  })

  test('transports: a driver error is 500 and its message does not reach the client', async (t) => {
    const broken: Transport = {
      name: 'broken',
      authenticate: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7')),
    }
    const app = await build(t, { auth: { transports: [broken, sessionTransport()] } })
    const response = await app.inject('/me')
    assert.equal(response.statusCode, 500)
    assert.ok(!response.body.includes('10.0.0.7'), response.body)
  })
})

describe('one authentication per request', () => {
  test('gates: a request is authenticated once, however many gates it passes', async (t) => {
    const users = countingUsers()
    const calls = { count: 0 }
    let reads = 0
    const app = await build(t, {
      auth: { users: users.store, transports: [apiKeys(calls), sessionTransport()] },
      routes(app) {
        const { read } = app.sessionStore
        app.sessionStore.read = (tag, handle) => {
          reads++
          return read(tag, handle)
        }
        const gates = [
          app.currentUser(),
          app.currentUser({ optional: true }),
          app.requireFresh,
          app.currentUser({ transport: 'session' }),
        ]
        app.post(
          '/many',
          {
            onRequest: gates,
            preValidation: gates,
            preHandler: [...gates, currentUser(), requireFresh],
          },
          async () => 'in',
        )
        app.post(
          '/fails',
          { onRequest: app.currentUser({ optional: true }), preHandler: app.currentUser() },
          async () => 'in',
        )
      },
    })
    const client = await signedIn(app, 'ann')
    const before = { ...users.calls }
    calls.count = 0
    assert.equal((await client.post('/many')).body, 'in')
    assert.deepEqual([calls.count, reads, users.calls.findById - before.findById], [1, 1, 1])
    calls.count = 0
    refuses(await new Client(app).post('/fails'), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal(calls.count, 1)
  })
})

describe('gate placement', () => {
  test('gates: work in onRequest, preValidation and preHandler, alone and in arrays', async (t) => {
    const urls: string[] = []
    const app = await build(t, {
      routes(app) {
        const gates = {
          app: app.currentUser(),
          module: currentUser(),
          fresh: app.requireFresh,
          moduleFresh: requireFresh,
        }
        for (const place of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
          for (const [name, gate] of Object.entries(gates)) {
            if (place === 'preParsing') continue
            app.get(
              `/${place}/${name}`,
              { [place]: gate },
              async (request) => request.principal.userId,
            )
            app.get(
              `/${place}/${name}/array`,
              { [place]: [gate, gate] },
              async (request) => request.principal.userId,
            )
            urls.push(`/${place}/${name}`, `/${place}/${name}/array`)
          }
        }
      },
    })
    const client = await signedIn(app, 'ann')
    assert.equal(urls.length, 24)
    for (const url of urls) {
      refuses(await app.inject(url), 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal((await client.get(url)).body, '1', url)
    }
  })

  test('gates: an app-wide hook leaves login, logout and register open and guards the rest', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      transports: [sessionTransport({ managementRoutes: true })],
    })
    app.addHook('onRequest', app.currentUser())
    app.get('/own', async (request) => request.principal.userId)
    app.register(async (child) => void child.get('/child', async () => 'in'))
    await app.ready()
    for (const url of ['/own', '/child', '/me', '/sessions'])
      refuses(await app.inject(url), 'CRUDAUTH_UNAUTHENTICATED')
    const client = new Client(app)
    answers(await client.register('ann'), 201)
    refuses(await client.login('ann', 'wrong password'), 'CRUDAUTH_BAD_CREDENTIALS')
    answers(await client.login('ann'), 200)
    for (const url of ['/own', '/child', '/me', '/sessions'])
      assert.equal((await client.get(url)).statusCode, 200, url)
    const { csrf } = client
    client.csrf = null
    // The app-wide gate requires the CSRF header on neither route.
    assert.equal(answers(await client.post('/csrf/refresh'), 200).csrf_token, csrf)
    answers(await client.login('ann'), 200)
    answers(await client.post('/logout'), 200)
    const out = await client.post('/logout')
    refuses(out, 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal(out.headers['set-cookie'], undefined)
  })

  test('gates: an app-wide hook can be added before the plugin is registered', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.addHook('onRequest', currentUser())
    app.get('/own', async () => 'in')
    await app.register(crudAuth, { secret, users: memoryUsers(), passwords: { cost: cheap } })
    refuses(await app.inject('/own'), 'CRUDAUTH_UNAUTHENTICATED')
    const client = await signedIn(app, 'ann')
    assert.equal((await client.get('/own')).body, 'in')
  })

  test('gates: work in a plugin registered before crudAuth and not awaited', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    app.register(async (child) => {
      child.get('/early', { onRequest: currentUser() }, async (request) => request.principal.userId)
      child.delete('/early', { preHandler: requireSudo }, async () => 'deleted')
    })
    app.get('/root', { preHandler: [currentUser(), requireFresh] }, async () => 'in')
    app.register(crudAuth, { secret, users: memoryUsers(), passwords: { cost: cheap } })
    await app.ready()
    refuses(await app.inject('/early'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await app.inject('/root'), 'CRUDAUTH_UNAUTHENTICATED')
    const client = await signedIn(app, 'ann')
    assert.equal((await client.get('/early')).body, '1')
    assert.equal((await client.get('/root')).body, 'in')
    refuses(await client.delete('/early'), 'CRUDAUTH_SUDO_REQUIRED')
  })

  test('gates: without the plugin they refuse with 500 and log the reason', async (t) => {
    const { lines, logger } = captureLogs()
    const app = Fastify({ logger })
    t.after(() => app.close())
    for (const [url, gate] of Object.entries({
      '/a': currentUser(),
      '/b': requireSudo,
      '/c': requireFresh,
      '/d': currentUser({ optional: true }),
    })) {
      app.get(url, { preHandler: gate }, async () => 'in')
    }
    for (const url of ['/a', '/b', '/c', '/d']) refuses(await app.inject(url), 'CRUDAUTH_INTERNAL')
    assert.ok(lines.some((line) => line.includes('not registered')))
  })

  test('request.principal: throws if no gate authenticated the request; maybePrincipal is null', async (t) => {
    const { lines, logger } = captureLogs()
    const app = await build(t, {
      fastify: { logger },
      routes(app) {
        app.get('/open', async (request) => request.principal.userId)
        app.get('/maybe', async (request) => ({ who: request.maybePrincipal }))
        app.get(
          '/optional',
          { onRequest: app.currentUser({ optional: true }) },
          async (request) => request.principal.userId,
        )
      },
    })
    const client = await signedIn(app, 'ann')
    refuses(await client.get('/open'), 'CRUDAUTH_INTERNAL')
    assert.ok(lines.some((line) => line.includes('currentUser()')))
    assert.deepEqual((await client.get('/maybe')).json(), { who: null })
    refuses(await new Client(app).get('/optional'), 'CRUDAUTH_INTERNAL')
  })

  test('request.principal: is read-only', async (t) => {
    const app = await build(t, {
      routes: (app) =>
        void app.get('/write', async (request) => {
          ;(request as { principal: unknown }).principal = { userId: 1 }
          return 'written'
        }),
    })
    assert.equal((await app.inject('/write')).statusCode, 500)
  })

  test('currentUser: naming an unregistered transport is 500', async (t) => {
    const app = await build(t, { routes: guarded({ transport: 'bearer' }) })
    refuses(await (await signedIn(app, 'ann')).get('/guarded'), 'CRUDAUTH_INTERNAL')
  })
})
