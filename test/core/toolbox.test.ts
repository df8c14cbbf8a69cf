import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import {
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const routes = (app: FastifyInstance) => {
  app.post('/enter', async (request, reply) => {
    app.crudAuth.refuseCrossSite(request)
    const { name, secret, ...init } = request.body as Record<string, string>
    const user = await app.crudAuth.authenticatePassword(request, name as string, secret as string)
    const session = await app.crudAuth.sessions.create(request, user, init)
    app.crudAuth.sessions.setCookies(request, reply, session)
    return session
  })
  app.post('/leave', { onRequest: app.currentUser() }, async (request, reply) => {
    const { userId, sessionId } = request.principal
    const ended = await app.crudAuth.sessions.revoke(userId, sessionId ?? '')
    app.crudAuth.sessions.clearCookies(reply)
    return { ended }
  })
}

for (const backend of backends) {
  describe(`${backend.name}: app.crudAuth.sessions`, () => {
    const start = (t: Parameters<typeof build>[0], auth: Partial<CrudAuthOptions> = {}) =>
      build(t, { auth: { ...backend.options(), ...auth }, routes })

    test('create: sets the cookies of POST /login and replaces the session of the request', async (t) => {
      const app = await start(t)
      const client = new Client(app)
      await client.register('ann')
      const first = await client.post('/enter', { name: 'ann', secret: password })
      assert.equal(first.statusCode, 200)
      const { sessionId, csrfToken, rememberMe } = first.json()
      assert.equal(rememberMe, false)
      client.csrf = csrfToken
      const cookies = setCookies(first)
      assert.deepEqual(Object.keys(cookies).sort(), [
        '__Host-crudauth_device',
        '__Host-crudauth_session',
        'csrf_token',
      ])
      assert.equal(answers(await client.get('/sessions'), 200)[0].session_id, sessionId)
      await client.post('/enter', { name: 'ann@example.com', secret: password, rememberMe: true })
      assert.equal(answers(await client.get('/sessions'), 200).length, 1)
    })

    test('revoke and clearCookies: end a session and clear its cookies', async (t) => {
      const app = await start(t)
      const client = await signedIn(app, 'ann')
      const response = await client.post('/leave')
      assert.deepEqual(response.json(), { ended: true })
      assert.deepEqual(Object.keys(setCookies(response)).sort(), [
        '__Host-crudauth_session',
        'csrf_token',
      ])
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('list: returns live sessions, most recently active first, without secrets', async (t) => {
      const app = await start(t)
      const client = await signedIn(app, 'ann')
      const other = new Client(app, '', { remoteAddress: '198.51.100.7' })
      await other.login('ann')
      const list = await app.crudAuth.sessions.list(1)
      assert.deepEqual(Object.keys(list[0] ?? {}).sort(), [
        'createdAt',
        'device',
        'ip',
        'kind',
        'label',
        'lastActivity',
        'sessionId',
      ])
      assert.equal(list.length, 2)
      const handles = new Set(
        answers(await client.get('/sessions'), 200).map(
          (one: { session_id: string }) => one.session_id,
        ),
      )
      assert.ok(list.every(({ sessionId }) => handles.has(sessionId)))
      const times = list.map(({ lastActivity }) => lastActivity.getTime())
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      )
      assert.deepEqual(await app.crudAuth.sessions.list(99), [])
      // An id of another type is a different user.
      assert.deepEqual(await app.crudAuth.sessions.list('1'), [])
    })

    test('revoke: revokes a session only with the id of its user', async (t) => {
      const app = await start(t)
      const ann = await signedIn(app, 'ann')
      await signedIn(app, 'bob')
      const [session] = await app.crudAuth.sessions.list(1)
      const handle = session?.sessionId ?? ''
      assert.equal(await app.crudAuth.sessions.revoke(2, handle), false)
      assert.equal(await app.crudAuth.sessions.revoke('1', handle), false)
      answers(await ann.get('/me'), 200)
      assert.equal(await app.crudAuth.sessions.revoke(1, handle), true)
      assert.equal(await app.crudAuth.sessions.revoke(1, handle), false)
      refusesOwn(await ann.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('revokeAll: revokes all sessions of the user, or all but one', async (t) => {
      const app = await start(t)
      const clients = [await signedIn(app, 'ann'), new Client(app), new Client(app)]
      for (const client of clients.slice(1)) await client.login('ann')
      const bob = await signedIn(app, 'bob')
      const handle = answers(await (clients[0] as Client).get('/sessions'), 200).find(
        (one: { current: boolean }) => one.current,
      ).session_id
      assert.equal(await app.crudAuth.sessions.revokeAll(1, { keep: handle }), 2)
      answers(await (clients[0] as Client).get('/me'), 200)
      assert.equal(await app.crudAuth.sessions.revokeAll(1, { keep: 'A'.repeat(43) }), 1)
      refusesOwn(await (clients[0] as Client).get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal(await app.crudAuth.sessions.revokeAll(1), 0)
      answers(await bob.get('/me'), 200)
    })

    test('create: metadata over 2 KiB is refused', async (t) => {
      const app = await start(t)
      const client = new Client(app)
      await client.register('ann')
      const enter = (length: number) =>
        client.post('/enter', {
          name: 'ann',
          secret: password,
          metadata: { a: 'x'.repeat(length) },
        })
      assert.equal((await enter(2000)).statusCode, 200)
      refuses(await enter(2048), 'CRUDAUTH_BAD_REQUEST')
    })

    test('authenticatePassword: a disabled account is refused before a session is created', async (t) => {
      const app = await start(t)
      const client = new Client(app)
      await client.register('ann')
      await app.crudAuth.users.update(1, { isActive: false })
      refuses(
        await client.post('/enter', { name: 'ann', secret: password }),
        'CRUDAUTH_BAD_CREDENTIALS',
      )
    })
  })
}

test('sessions.list: returns sessions and token families, most recently active first', async (t) => {
  const app = await build(t, {
    auth: { transports: [sessionTransport(), bearerTransport({ refresh: 'body' })] },
  })
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const client = await signedIn(app, 'ann')
  for (const url of ['/token', '/login', '/token']) {
    t.mock.timers.tick(1000)
    answers(await new Client(app).post(url, { username: 'ann', password }), 200)
  }
  assert.equal((await client.get('/me')).statusCode, 200)
  const kinds = (await app.crudAuth.sessions.list(1)).map(({ kind }) => kind)
  assert.deepEqual(kinds, ['refresh', 'session', 'refresh', 'session'])
})

describe('app.crudAuth.authenticatePassword', () => {
  test('fails like POST /login, and with 400 for values that are not strings', async (t) => {
    const app = await build(t, { routes })
    await new Client(app).register('ann')
    const enter = (name: unknown, secret: unknown) =>
      new Client(app).post('/enter', { name, secret })
    for (const [name, secret] of [
      ['ann', 'wrong password'],
      ['nobody', password],
      ['', ''],
    ]) {
      refuses(await enter(name, secret), 'CRUDAUTH_BAD_CREDENTIALS', [password])
    }
    for (const [name, secret] of [
      [undefined, password],
      ['ann', null],
      [['ann'], password],
      ['ann', { length: 20 }],
      [1, 2],
    ]) {
      refuses(await enter(name, secret), 'CRUDAUTH_BAD_REQUEST')
    }
  })

  test('calls onBeforeLogin and onLoginFailed', async (t) => {
    const told: string[] = []
    const app = await build(t, {
      auth: {
        hooks: {
          onBeforeLogin: () => void told.push('before'),
          onLoginFailed: ({ reason }) => void told.push(reason),
        },
      },
      routes,
    })
    const client = new Client(app)
    await client.register('ann')
    await client.post('/enter', { name: 'ann', secret: 'wrong password' })
    await client.post('/enter', { name: 'ann', secret: password })
    assert.deepEqual(told, ['wrong_password', 'before'])
  })
})

describe('app.crudAuth.refuseCrossSite', () => {
  test('refuses cross-site requests, but not from trusted origins', async (t) => {
    const app = await build(t, { auth: { trustedOrigins: ['https://app.example.com'] }, routes })
    await new Client(app).register('ann')
    const enter = (headers: Record<string, string>) =>
      new Client(app).post('/enter', { name: 'ann', secret: password }, { headers })
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      refuses(await enter(headers as Record<string, string>), 'CRUDAUTH_CROSS_SITE')
    }
    assert.equal((await enter({ origin: 'https://app.example.com' })).statusCode, 200)
  })
})

describe('app.crudAuth.passwords', () => {
  test('hashes and verifies, detects unusable hashes and applies the password policy', async (t) => {
    const app = await build(t)
    const { passwords } = app.crudAuth
    const hash = await passwords.hash(password)
    assert.equal(await passwords.verify(hash, password), true)
    assert.equal(await passwords.verify(hash, 'wrong password'), false)
    assert.equal(await passwords.verify('nonsense', password), false)
    assert.deepEqual(
      [
        passwords.isUsable(hash),
        passwords.isUsable(passwords.unusable()),
        passwords.isUsable(null),
      ],
      [true, false, false],
    )
    await assert.doesNotReject(passwords.validate(password, {}))
    for (const weak of ['short', 'password', 'ann@example.com']) {
      await assert.rejects(passwords.validate(weak, { email: 'ann@example.com' }), {
        code: weak === 'short' ? 'CRUDAUTH_PASSWORD_TOO_SHORT' : 'CRUDAUTH_PASSWORD_TOO_COMMON',
        statusCode: 400,
      })
    }
  })
})

describe('app.crudAuth.users', () => {
  test('passes calls to the app’s store and returns its rows and errors', async (t) => {
    const store = memoryUsers()
    const app = await build(t, { auth: { users: store } })
    const row = await app.crudAuth.users.create({
      email: 'a@example.com',
      username: 'a',
      hashedPassword: '!',
    })
    assert.deepEqual(await store.findById(row.id as number), row)
    assert.equal(app.crudAuth.users.fields, store.fields)
    await assert.rejects(
      app.crudAuth.users.create({ email: 'a@example.com', username: 'b', hashedPassword: '!' }),
      {
        code: 'CRUDAUTH_DUPLICATE_USER',
        field: 'email',
      },
    )
    assert.equal(await app.crudAuth.users.update(row.id as number, { username: 'c' }), true)
    assert.equal(
      await app.crudAuth.users.compareAndSet(
        row.id as number,
        { username: 'a' },
        { username: 'd' },
      ),
      false,
    )
  })
})

describe('app.crudAuth with bearer tokens', () => {
  test('issueTokens and refreshTokens return tokens and no user data', async (t) => {
    const app = await build(t, { auth: { transports: [bearerTransport({ refresh: 'body' })] } })
    await new Client(app).register('ann')
    const user = (await app.crudAuth.users.findBy('username', 'ann')) as Record<string, unknown>
    const issued = await app.crudAuth.issueTokens(user)
    const members = ['accessToken', 'expiresInSeconds', 'refreshToken', 'scopes']
    assert.deepEqual(Object.keys(issued).sort(), members)
    const request = { headers: {}, log: app.log } as never
    const refreshed = await app.crudAuth.refreshTokens(request, issued.refreshToken as string)
    assert.deepEqual(Object.keys(refreshed).sort(), members)
    assert.notEqual(refreshed.refreshToken, issued.refreshToken)
    await assert.rejects(app.crudAuth.refreshTokens(request, 'none'), {
      code: 'CRUDAUTH_INVALID_TOKEN',
    })
  })
})
