import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, captureLogs, cheap, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

test('principal.user and hooks: omit the password hash, and sessions.create accepts that view', async (t) => {
  const seen: object[] = []
  const see = (user: object) => void seen.push(user)
  const app = await build(t, {
    auth: {
      hooks: { onAfterRegister: see, onBeforeLogin: see, onAfterLogin: see, onAfterLogout: see },
    },
    routes(app) {
      app.get('/user', { preHandler: app.currentUser() }, async ({ principal }) => principal.user)
      app.post('/again', { preHandler: app.currentUser() }, async (request, reply) => {
        let csrf: string | null = null
        // The view and a copy of it both work in place of the row.
        for (const user of [request.principal.user, { ...request.principal.user }]) {
          const session = await app.crudAuth.sessions.create(request, user)
          reply.removeHeader('set-cookie')
          app.crudAuth.sessions.setCookies(request, reply, session)
          csrf = session.csrfToken
        }
        return { csrf }
      })
      app.post('/gone', { preHandler: app.currentUser() }, async (request) =>
        app.crudAuth.sessions.create(request, { id: 99, username: 'gone' } as never),
      )
    },
  })
  const client = await signedIn(app, 'ann')
  const user = (await client.get('/user')).json()
  assert.equal(user.username, 'ann')
  const hash = String((await app.crudAuth.users.findById(1))?.hashedPassword)
  assert.ok(hash.startsWith('$argon2id$'))
  assert.ok(!('hashedPassword' in user))
  refuses(await client.post('/gone'), 'CRUDAUTH_FORBIDDEN')
  const again = await client.post('/again')
  assert.equal(again.statusCode, 200)
  client.csrf = again.json().csrf
  answers(await client.get('/me'), 200)
  await client.post('/logout')
  assert.ok(seen.length >= 3)
  for (const one of seen) assert.ok(!JSON.stringify(one).includes(hash))
})

test('account.publicFields: columns appear in GET /me, credential columns are rejected', async (t) => {
  const users = memoryUsers()
  const app = await build(t, { auth: { users, account: { publicFields: ['createdAt'] } } })
  const client = await signedIn(app, 'ann')
  await users.update(1, { createdAt: new Date(0) })
  const me = answers(await client.get('/me'), 200)
  assert.equal(me.created_at, '1970-01-01T00:00:00.000Z')
  for (const field of ['hashedPassword', 'hashed_password', 'totpSecretEncrypted', 'email'])
    await assert.rejects(build(t, { auth: { account: { publicFields: [field] } } }), {
      code: 'CRUDAUTH_CONFIG',
    })
})

test('sudo.elevate: a fresh sign-in is enough only for accounts without a password', async (t) => {
  const app = await build(t, {
    routes(app) {
      app.post('/sudo', { preHandler: app.currentUser() }, async (request) => ({
        until: await app.crudAuth.sudo.elevate(request, { fresh: true }),
      }))
      app.post('/enter', async (request, reply) => {
        const user = await app.crudAuth.users.findBy('username', 'olga')
        const session = await app.crudAuth.sessions.create(request, user as never)
        app.crudAuth.sessions.setCookies(request, reply, session)
        return { csrf_token: session.csrfToken }
      })
    },
  })
  refuses(await (await signedIn(app, 'ann')).post('/sudo'), 'CRUDAUTH_SUDO_REQUIRED')
  await app.crudAuth.users.create({
    username: 'olga',
    email: 'olga@example.com',
    hashedPassword: null,
    isActive: true,
  })
  const olga = new Client(app)
  olga.csrf = (await olga.post('/enter')).json().csrf_token
  assert.equal((await olga.post('/sudo')).statusCode, 200)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 601_000 })
  refuses(await olga.post('/sudo'), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
})

test('POST /login: a failed rehash is logged and does not fail the sign-in', async (t) => {
  const users = memoryUsers()
  const before = await build(t, { auth: { users } })
  await new Client(before).register('ann')
  const { lines, logger } = captureLogs()
  const failing = {
    ...users,
    compareAndSet: async (_id: unknown, _expected: unknown, values: object) =>
      Promise.reject(new Error(`value too long: ${JSON.stringify(values)}`)),
  }
  const app = await build(t, {
    fastify: { logger },
    auth: { users: failing, passwords: { cost: { ...cheap, iterations: 2 } } },
  })
  const client = new Client(app)
  answers(await client.login('ann'), 200)
  answers(await client.get('/me'), 200)
  const logged = lines.map(String)
  assert.ok(logged.some((line) => line.includes('could not replace')))
  assert.ok(!logged.some((line) => line.includes('$argon2id$')))
})

test('POST /register: an id rounded by the driver is 503, and the log names the remedy', async (t) => {
  const users = memoryUsers()
  const { lines, logger } = captureLogs()
  const rounded = {
    ...users,
    create: async (values: Parameters<typeof users.create>[0]) => ({
      ...(await users.create(values)),
      id: 2 ** 53 + 2,
    }),
  }
  const app = await build(t, { fastify: { logger }, auth: { users: rounded } })
  refusesOwn(await new Client(app).register('ann'), 'CRUDAUTH_UNAVAILABLE')
  assert.ok(lines.some((line) => String(line).includes('supportBigNumbers')))
})

test('X-Forwarded-For: a port is not part of the rate-limit key or the session IP', async (t) => {
  const app = await build(t, {
    fastify: { trustProxy: true },
    auth: { secret, rateLimits: { register: { max: 1, windowSeconds: 60 } } },
  })
  const at = (ip: string) => new Client(app, '', { headers: { 'x-forwarded-for': ip } })
  answers(await at('203.0.113.9:40001').register('ann'), 201)
  refusesOwn(await at('203.0.113.9:40002').register('bob'), 'CRUDAUTH_RATE_LIMITED')
  answers(await at('[2001:db8::1]:443').register('eve'), 201)
  refusesOwn(await at('[2001:db8::1]:444').register('dan'), 'CRUDAUTH_RATE_LIMITED')
  const client = at('203.0.113.9:5')
  answers(await client.login('ann', password), 200)
  assert.equal((await app.crudAuth.sessions.list(1))[0]?.ip, '203.0.113.9')
})
