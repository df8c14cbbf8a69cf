import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, {
  accountRoutes,
  type CrudAuthOptions,
  managementRoutes,
  memoryUsers,
  type RouteGroup,
  sessionRoutes,
  sessionTransport,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { build, cheap, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const all: [group: RouteGroup, method: 'GET' | 'POST' | 'DELETE', url: string][] = [
  ['account', 'POST', '/register'],
  ['account', 'GET', '/me'],
  ['account', 'POST', '/set-password'],
  ['account', 'POST', '/change-password'],
  ['session', 'POST', '/login'],
  ['session', 'POST', '/logout'],
  ['management', 'GET', '/sessions'],
  ['management', 'DELETE', '/sessions/:session_id'],
  ['management', 'POST', '/logout-all'],
  ['management', 'POST', '/csrf/refresh'],
]
const management = () => [sessionTransport({ managementRoutes: true })]

describe('the routes option', () => {
  const cases: [what: string, auth: Partial<CrudAuthOptions>, groups: RouteGroup[]][] = [
    ['absent', {}, ['account', 'session', 'management']],
    ['true', { routes: true }, ['account', 'session', 'management']],
    [
      'true, without management routes',
      { routes: true, transports: [sessionTransport()] },
      ['account', 'session'],
    ],
    [
      'the default transports',
      { routes: true, transports: undefined as never },
      ['account', 'session'],
    ],
    ['false', { routes: false }, []],
    ['an empty list', { routes: [] }, []],
    ['only session', { routes: ['session'] }, ['session']],
    ['account and management', { routes: ['account', 'management'] }, ['account', 'management']],
  ]
  for (const [what, auth, groups] of cases) {
    test(`routes, ${what}: mounts ${groups.join(', ') || 'nothing'} and nothing else`, async (t) => {
      const app = await build(t, { auth: { prefix: '/auth', ...auth } })
      for (const [group, method, url] of all) {
        assert.equal(
          app.hasRoute({ method, url: `/auth${url}` }),
          groups.includes(group),
          `${method} ${url}`,
        )
      }
    })
  }
})

describe('route groups mounted one by one', () => {
  test('with routes: false, gates and sessions.create still work', async (t) => {
    const app = await build(t, {
      auth: { routes: false },
      routes(app) {
        app.get(
          '/own',
          { onRequest: app.currentUser() },
          async (request) => request.principal.userId,
        )
        app.post('/enter', async (request, reply) => {
          const { name, secret } = request.body as Record<string, string>
          const user = await app.crudAuth.authenticatePassword(request, name ?? '', secret ?? '')
          const session = await app.crudAuth.sessions.create(request, user)
          app.crudAuth.sessions.setCookies(request, reply, session)
          return { csrf: session.csrfToken }
        })
      },
    })
    await app.crudAuth.users.create({
      email: 'ann@example.com',
      username: 'ann',
      hashedPassword: await app.crudAuth.passwords.hash('a good phrase'),
      isActive: true,
      tokenVersion: 0,
    })
    refuses(await app.inject('/own'), 'CRUDAUTH_UNAUTHENTICATED')
    const client = new Client(app)
    assert.equal(
      (await client.post('/enter', { name: 'ann', secret: 'a good phrase' })).statusCode,
      200,
    )
    assert.equal((await client.get('/own')).body, '1')
  })

  test('route groups: each can have its own prefix', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      routes: false,
      transports: management(),
    })
    await app.register(accountRoutes, { prefix: '/users' })
    await app.register(sessionRoutes, { prefix: '/web' })
    await app.register(managementRoutes, { prefix: '/devices' })
    await app.ready()
    const client = new Client(app)
    answers(
      await client.post('/users/register', {
        email: 'ann@example.com',
        username: 'ann',
        password: 'a good phrase',
      }),
      201,
    )
    const login = answers(
      await client.form('/web/login', { username: 'ann', password: 'a good phrase' }),
      200,
    )
    client.csrf = login.csrf_token
    answers(await client.get('/users/me'), 200)
    const [session] = answers(await client.get('/devices/sessions'), 200)
    answers(await client.delete(`/devices/sessions/${session.session_id}`), 200)
    assert.equal((await app.inject('/me')).statusCode, 404)
  })

  test('route groups: one group can be mounted under two prefixes', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      routes: ['account'],
    })
    await app.register(sessionRoutes, { prefix: '/web' })
    await app.register(sessionRoutes, { prefix: '/desktop' })
    await app.ready()
    for (const prefix of ['/web', '/desktop'])
      assert.ok(app.hasRoute({ method: 'POST', url: `${prefix}/login` }))
  })

  test('route groups: can be mounted in a child of the instance with the plugin', async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      routes: ['account'],
    })
    await app.register(async (child) => void (await child.register(sessionRoutes)), {
      prefix: '/child',
    })
    await app.ready()
    await new Client(app).register('ann')
    answers(await new Client(app, '/child').login('ann'), 200)
  })

  test('route groups: mounting without the plugin is a clear error', async (t) => {
    for (const group of [accountRoutes, sessionRoutes, managementRoutes]) {
      const app = Fastify()
      t.after(() => app.close())
      await assert.rejects(
        async () => {
          await app.register(group)
          await app.ready()
        },
        (error: Error) => {
          assert.match(error.message, /fastify-crudauth|crudAuth/)
          return true
        },
      )
    }
  })

  test('route groups: session groups without sessionTransport are a clear error', async (t) => {
    const key = { name: 'key', authenticate: async () => null }
    for (const group of [sessionRoutes, managementRoutes]) {
      const app = Fastify()
      t.after(() => app.close())
      await app.register(crudAuth, {
        secret,
        users: memoryUsers(),
        passwords: { cost: cheap },
        transports: [key],
        routes: false,
      })
      await assert.rejects(
        async () => {
          await app.register(group)
          await app.ready()
        },
        { code: 'CRUDAUTH_CONFIG', message: /sessionTransport\(\)/ },
      )
    }
  })
})
