import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import {
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import {
  cheapPasswords,
  createTestAuth,
  fakeProvider,
  testClock,
  testMailbox,
} from '../../src/testing/index.js'
import { build, password } from '../helpers/build.js'

const account = { email: 'ada@example.com', username: 'ada', password }

/** An app with guarded routes, in which Ada has an account. */
async function open(t: TestContext, auth: Partial<CrudAuthOptions> = {}) {
  const app = await build(t, {
    auth,
    routes(app) {
      app.post('/notes', { onRequest: app.currentUser() }, async ({ principal }) => ({
        by: principal.userId,
        via: principal.transport,
        scopes: principal.scopes,
      }))
      app.get('/admin', { onRequest: app.currentUser({ mfa: true }) }, async () => ({}))
      app.get('/keys', { onRequest: [app.currentUser(), app.requireFresh] }, async () => ({}))
    },
  })
  const registered = await app.inject({ method: 'POST', url: '/register', payload: account })
  assert.ok(registered.statusCode < 300, registered.body)
  return { app, ...createTestAuth(app) }
}

const transports = [
  sessionTransport(),
  bearerTransport({ refresh: 'body', grantableScopes: ['a', 'b'], defaultScopes: ['a'] }),
]

describe('createTestAuth', () => {
  for (const transport of ['session', 'bearer'] as const) {
    test(`signs in for inject, by ${transport}`, async (t) => {
      const { app, signIn } = await open(t, { transports })
      const post = (headers: Record<string, string>) =>
        app.inject({ method: 'POST', url: '/notes', headers })
      const response = await post(await signIn('ada', { transport }))
      assert.equal(response.statusCode, 200, response.body)
      assert.equal(response.json().via, transport)
      assert.equal(response.json().by, 1)
      const get = async (url: string, headers: Record<string, string>) => {
        const { statusCode, json } = await app.inject({ url, headers })
        return statusCode === 200 ? 200 : json().code
      }
      const plain = await signIn('ada', { transport })
      assert.equal(await get('/admin', plain), 'CRUDAUTH_MFA_REQUIRED')
      assert.equal(await get('/keys', plain), 200)
      const old = await signIn('ada', { transport, mfa: true, fresh: false })
      assert.equal(await get('/admin', old), 200)
      assert.equal(await get('/keys', old), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
    })
  }

  test('takes an id, a row, an email and a username', async (t) => {
    const { app, signIn } = await open(t)
    const row = await app.crudAuth.users.findById(1)
    assert.ok(row)
    for (const user of [1, row, 'ada', 'ADA@example.com']) {
      const response = await app.inject({ url: '/me', headers: await signIn(user) })
      assert.equal(response.json().id, 1, response.body)
    }
    for (const user of [2, 'nobody', 'nobody@example.com'])
      await assert.rejects(signIn(user), /No user has the id or the login name "/)
    await app.crudAuth.users.update(1, { isActive: false })
    await assert.rejects(signIn('ada'), { code: 'CRUDAUTH_FORBIDDEN' })
  })

  test('uses the transport that is configured, and the scopes that are asked for', async (t) => {
    const { app, signIn } = await open(t, { transports: transports.slice(1) })
    const headers = await signIn('ada', { scopes: ['b'] })
    const response = await app.inject({ method: 'POST', url: '/notes', headers })
    assert.deepEqual(response.json(), { by: 1, via: 'bearer', scopes: ['b'] })
    const { json } = await app.inject({
      method: 'POST',
      url: '/notes',
      headers: await signIn('ada'),
    })
    assert.deepEqual(json().scopes, ['a'])
    await assert.rejects(signIn('ada', { transport: 'session' }), { code: 'CRUDAUTH_CONFIG' })
  })

  test('issueTokens: a time in the future counts as now', async (t) => {
    const { app } = await open(t, { transports })
    const user = await app.crudAuth.users.findById(1)
    assert.ok(user)
    const later = new Date(Date.now() + 86_400_000)
    const { accessToken } = await app.crudAuth.issueTokens(user, { authenticatedAt: later })
    const claims = JSON.parse(
      Buffer.from(String(accessToken.split('.')[1]), 'base64url').toString(),
    )
    assert.ok(claims.auth_time <= Date.now() / 1000)
  })
})

describe('testMailbox', () => {
  test('keeps messages and their links', async (t) => {
    const mailbox = testMailbox()
    assert.throws(() => mailbox.last(), /No message was sent \(sent: none\)/)
    const { app } = await open(t, {
      email: { sender: mailbox, frontendUrl: 'https://app.example.com' },
    })
    await app.crudAuth.delivery.settled()
    assert.equal(mailbox.messages.length, 1)
    assert.equal(mailbox.last().to, 'ada@example.com')
    assert.equal(mailbox.last('verify_email'), mailbox.messages[0])
    const link = mailbox.lastLink('verify_email')
    assert.equal(link.pathname, '/verify-email')
    const payload = { token: link.searchParams.get('token') }
    const confirmed = await app.inject({ method: 'POST', url: '/email/verify-confirm', payload })
    assert.equal(confirmed.statusCode, 200)
    assert.throws(
      () => mailbox.lastLink('reset_password'),
      /No reset_password was sent \(sent: verify_email\)\. Await app\.crudAuth\.delivery\.settled/,
    )
    await app.inject({ method: 'POST', url: '/password/reset-request', payload: account })
    await app.crudAuth.delivery.settled()
    assert.equal(mailbox.last().kind, 'reset_password')
    assert.equal(mailbox.last('verify_email'), mailbox.messages[0])
  })
})

describe('fakeProvider', () => {
  async function withProvider(t: TestContext) {
    const acme = await fakeProvider(t)
    const { app } = await open(t, {
      users: memoryUsers({ unique: ['acmeId'] }),
      oauth: { baseUrl: 'https://app.example.com', providers: { acme: acme.provider } },
    })
    const signIn = async () => {
      const start = await app.inject('/oauth/acme/authorize')
      const cookies = Object.fromEntries(start.cookies.map(({ name, value }) => [name, value]))
      const url = await acme.visit(start.headers.location)
      return { url, landing: await app.inject({ url, cookies }) }
    }
    return { acme, app, signIn }
  }

  test('signs in as its user', async (t) => {
    const { acme, app, signIn } = await withProvider(t)
    acme.user = { sub: 'bob-1', email: 'bob@example.com', email_verified: true, name: 'Bob' }
    const { landing } = await signIn()
    assert.equal(landing.headers.location, '/')
    const cookies = Object.fromEntries(landing.cookies.map(({ name, value }) => [name, value]))
    const me = await app.inject({ url: '/me', cookies })
    assert.equal(me.json().email, 'bob@example.com')
    acme.user = { sub: 'eve-1', email: 'ada@example.com', email_verified: false }
    assert.equal((await signIn()).landing.headers.location, '/?error=email_unverified')
  })

  test('a user can decline', async (t) => {
    const { acme, signIn } = await withProvider(t)
    acme.user = null
    assert.equal((await signIn()).landing.headers.location, '/?error=oauth_failed')
  })

  test('a code works once, with its verifier and the secret of the client', async (t) => {
    const { acme, signIn } = await withProvider(t)
    const { url } = await signIn()
    const code = new URL(url, 'http://x').searchParams.get('code') ?? ''
    const endpoint = String(acme.provider.tokenEndpoint)
    const ask = (fields: object) =>
      fetch(endpoint, { method: 'POST', body: new URLSearchParams({ ...fields }) })
    assert.equal((await ask({ code })).status, 400)
    const userinfo = await fetch(String(acme.provider.userinfoEndpoint))
    assert.equal(userinfo.status, 401)
    await assert.rejects(acme.visit('https://app.example.com/'), /not a location of this provider/)
  })

  test('closes when the test ends', async () => {
    const work: (() => unknown)[] = []
    const acme = await fakeProvider({ after: (end) => work.push(end) })
    for (const end of work) end()
    await assert.rejects(fetch(String(acme.provider.userinfoEndpoint)), TypeError)
    // The port is free again.
    const { port } = new URL(String(acme.provider.tokenEndpoint))
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve))
    server.close()
  })
})

describe('cheapPasswords', () => {
  const setEnv = (t: TestContext, value: string | undefined) => {
    const before = process.env.NODE_ENV
    const set = (to: string | undefined) => {
      if (to === undefined) delete process.env.NODE_ENV
      else process.env.NODE_ENV = to
    }
    set(value)
    t.after(() => set(before))
  }

  test('makes hashes of the lowest cost', async (t) => {
    setEnv(t, 'test')
    const { app } = await open(t, { passwords: cheapPasswords() })
    const user = (await app.crudAuth.users.findById(1)) as Record<string, unknown>
    assert.match(String(user.hashedPassword), /^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
  })

  test('throws outside NODE_ENV=test', (t) => {
    for (const value of [undefined, 'production', 'development', '']) {
      setEnv(t, value)
      assert.throws(() => cheapPasswords(), { code: 'CRUDAUTH_CONFIG', message: /NODE_ENV=test/ })
    }
  })
})

describe('testClock', () => {
  test('ends sessions, tokens, links and locks', async (t) => {
    const clock = testClock(t)
    const mailbox = testMailbox()
    const { app, signIn } = await open(t, {
      transports,
      email: { sender: mailbox, frontendUrl: 'https://app.example.com' },
    })
    const status = async (headers: Record<string, string>) =>
      (await app.inject({ url: '/me', headers })).statusCode
    const session = await signIn('ada')
    const token = await signIn('ada', { transport: 'bearer' })
    assert.equal(await status(token), 200)
    clock.advance(16 * 60)
    assert.equal(await status(token), 401)
    assert.equal(await status(session), 200)
    clock.advance(31 * 60)
    assert.equal(await status(session), 401)

    const login = async (secret: string) =>
      (
        await app.inject({
          method: 'POST',
          url: '/login',
          payload: { ...account, password: secret },
        })
      ).statusCode
    for (let n = 0; n < 5; n++) assert.equal(await login('wrong'), 401)
    assert.equal(await login(password), 429)
    clock.advance(24 * 3600)
    assert.equal(await login(password), 200)

    await app.crudAuth.delivery.settled()
    const payload = { token: mailbox.lastLink('verify_email').searchParams.get('token') }
    clock.advance(7 * 24 * 3600)
    const confirmed = await app.inject({ method: 'POST', url: '/email/verify-confirm', payload })
    assert.equal(confirmed.json().code, 'CRUDAUTH_TOKEN_INVALID_OR_USED')
  })

  test('moves every way to read the time, and is set back', () => {
    const work: (() => unknown)[] = []
    const before = Date.now()
    const real = Date
    const earlier = new Date(0)
    const clock = testClock({ after: (end) => work.push(end) })
    assert.ok(Date.now() - before < 5000)
    clock.advance(1000)
    clock.advance(0.5)
    const made = new Date()
    for (const now of [Date.now(), made.getTime(), Date.parse(String(Date()))])
      assert.ok(now - before >= 999_000 && now - before < 1_010_000, String(now - before))
    assert.equal(new Date(5).getTime(), 5)
    assert.equal(new Date(2020, 1, 1).getFullYear(), 2020)
    assert.ok(new Date() instanceof Date && earlier instanceof Date && new Date() instanceof real)
    assert.equal(Date.UTC(1970, 0, 1), 0)
    for (const seconds of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1' as never])
      assert.throws(() => clock.advance(seconds), { code: 'CRUDAUTH_CONFIG' })
    for (const end of work) end()
    assert.equal(Date, real)
    assert.ok(Date.now() - before < 5000)
  })
})
