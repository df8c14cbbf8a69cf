import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import {
  bearerTransport,
  type CrudAuthOptions,
  sessionTransport,
  type Transport,
} from '../../src/index.js'
import { answers, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { deviceCookie, sessionCookie, statuses } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { ada, browserOf, buildOAuth, landsOn } from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** Custom routes that use the toolbox. */
function byHand(app: FastifyInstance) {
  app.post('/hand/login', async (request, reply) => {
    const { transport, ...options } = request.body as { transport?: string }
    const user = await app.crudAuth.authenticatePassword(request, 'ann', password)
    return app.crudAuth.completeLogin(request, reply, user, { transport, ...options })
  })
  app.post('/hand/logout', { preHandler: app.currentUser({ optional: true }) }, (request, reply) =>
    app.crudAuth.completeLogout(request, reply),
  )
  app.all('/hand/who', async (request) => {
    const principal = await app.crudAuth.resolvePrincipal(request)
    return { id: principal?.userId ?? null, via: principal?.transport ?? null }
  })
  app.get('/hand/fresh', { preHandler: app.currentUser({ optional: true }) }, async (request) => ({
    fresh: app.crudAuth.isFresh(request),
  }))
  app.delete('/hand/account', { preHandler: app.currentUser() }, async (request) => {
    await app.crudAuth.deleteAccount(request)
    return {}
  })
  app.get(
    '/hand/either',
    { preHandler: app.currentUser({ transport: ['bearer', 'session'] }) },
    async ({ principal }) => ({ via: principal.transport }),
  )
}

for (const backend of backends) {
  const setUp = async (t: TestContext, auth: Partial<CrudAuthOptions> = {}) => {
    const told: string[] = []
    const app = await build(t, {
      auth: {
        ...backend.options(),
        transports: [
          sessionTransport({ managementRoutes: true }),
          bearerTransport({ refresh: 'body', grantableScopes: ['notes'] }),
        ],
        hooks: {
          onAfterLogin: (_user, { transport }) => void told.push(`in ${transport}`),
          onAfterLogout: () => void told.push('out'),
        },
        ...auth,
      },
      routes: byHand,
    })
    await new Client(app).register('ann')
    return { app, told }
  }

  test(`${backend.name}: completeLogin and completeLogout: respond like POST /login and /logout`, async (t) => {
    const { app, told } = await setUp(t)
    const client = new Client(app)
    const response = await client.post('/hand/login', { rememberMe: true, metadata: { a: 1 } })
    assert.equal(response.statusCode, 200)
    const { csrf_token, ...rest } = response.json()
    assert.deepEqual(rest, { id: 1, username: 'ann' })
    assert.deepEqual(
      Object.keys(setCookies(response)).sort(),
      [deviceCookie, sessionCookie, 'csrf_token'].sort(),
    )
    assert.ok(setCookies(response)[sessionCookie]?.maxAge)
    client.csrf = csrf_token
    answers(await client.get('/me'), 200)
    assert.deepEqual(told, ['in session'])
    assert.deepEqual((await client.post('/hand/logout')).json(), { detail: 'Signed out' })
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await client.post('/hand/logout'), 'CRUDAUTH_UNAUTHENTICATED')
    assert.deepEqual(told, ['in session', 'out'])
  })

  test(`${backend.name}: completeLogin: transport "bearer" responds like POST /token`, async (t) => {
    const { app, told } = await setUp(t)
    const body = { transport: 'bearer', scopes: ['notes', 'root'] }
    const tokens = (await new Client(app).post('/hand/login', body)).json()
    assert.equal(tokens.scope, 'notes')
    assert.equal(tokens.token_type, 'bearer')
    assert.deepEqual(told, ['in bearer'])
    const authorization = `Bearer ${tokens.access_token}`
    const either = await app.inject({ url: '/hand/either', headers: { authorization } })
    assert.deepEqual(either.json(), { via: 'bearer' })
    const out = await app.inject({
      method: 'POST',
      url: '/hand/logout',
      payload: { refresh_token: tokens.refresh_token },
    })
    assert.equal(out.statusCode, 200)
    refuses(
      await new Client(app).post('/refresh', { refresh_token: tokens.refresh_token }),
      'CRUDAUTH_INVALID_TOKEN',
    )
  })

  test(`${backend.name}: completeLogin: an unknown transport fails with CRUDAUTH_CONFIG`, async (t) => {
    const { app } = await setUp(t)
    const refused = await new Client(app).post('/hand/login', { transport: 'key' })
    assert.equal(refused.json().code, 'CRUDAUTH_CONFIG')
  })

  test(`${backend.name}: completeLogin: a custom transport cannot sign in, CRUDAUTH_CONFIG`, async (t) => {
    const key: Transport = { name: 'key', authenticate: async () => null }
    const { app, told } = await setUp(t, { transports: [key, sessionTransport()] })
    const named = await new Client(app).post('/hand/login', { transport: 'key' })
    assert.equal(named.json().code, 'CRUDAUTH_CONFIG')
    assert.equal(named.headers['set-cookie'], undefined)
    assert.deepEqual(told, [])
    // Without a name the first transport that can sign in does, not the first of the list.
    assert.equal((await new Client(app).post('/hand/login', {})).statusCode, 200)
    assert.deepEqual(told, ['in session'])
    const alone = await setUp(t, { transports: [key] })
    const unnamed = await new Client(alone.app).post('/hand/login', {})
    assert.equal(unnamed.json().code, 'CRUDAUTH_CONFIG')
    assert.deepEqual(alone.told, [])
  })

  test(`${backend.name}: resolvePrincipal: needs no CSRF token, writes nothing, is null for bad credentials`, async (t) => {
    const { app } = await setUp(t)
    const client = await signedIn(app, 'ann2')
    client.csrf = null
    const before = (await app.crudAuth.sessions.list(2))[0]?.lastActivity
    assert.deepEqual((await client.post('/hand/who')).json(), { id: 2, via: 'session' })
    assert.deepEqual((await app.crudAuth.sessions.list(2))[0]?.lastActivity, before)
    for (const headers of [
      {},
      { cookie: `${sessionCookie}=nonsense` },
      { authorization: 'Bearer forged.token.here' },
    ]) {
      const answer = await app.inject({ url: '/hand/who', headers })
      assert.deepEqual(answer.json(), { id: null, via: null })
    }
  })

  test(`${backend.name}: isFresh: true only within freshSeconds after sign-in`, async (t) => {
    const { app } = await setUp(t, { freshSeconds: 1 })
    const client = await signedIn(app, 'bob')
    assert.deepEqual((await client.get('/hand/fresh')).json(), { fresh: true })
    await new Promise((resolve) => setTimeout(resolve, 1100))
    assert.deepEqual((await client.get('/hand/fresh')).json(), { fresh: false })
    assert.deepEqual((await new Client(app).get('/hand/fresh')).json(), { fresh: false })
  })

  test(`${backend.name}: currentUser: accepts a list of transports and refuses an invalid value`, async (t) => {
    const { app } = await setUp(t)
    const client = await signedIn(app, 'bob')
    assert.deepEqual((await client.get('/hand/either')).json(), { via: 'session' })
    for (const transport of [[], [''], [1], 7, ''])
      assert.throws(() => app.currentUser({ transport: transport as never }), {
        code: 'CRUDAUTH_CONFIG',
      })
  })

  test(`${backend.name}: currentUser: never asks a transport that is not in the list`, async (t) => {
    let asked = 0
    const key: Transport = {
      name: 'key',
      async authenticate(_request, auth) {
        asked++
        const user = await auth.users.findBy('username', 'ann')
        return user && auth.createPrincipal(user, { transport: 'key' })
      },
    }
    const { app } = await setUp(t, { transports: [key, sessionTransport(), bearerTransport()] })
    refuses(await app.inject('/hand/either'), 'CRUDAUTH_UNAUTHENTICATED')
    const client = new Client(app)
    await client.register('bob')
    await client.login('bob')
    assert.deepEqual((await client.get('/hand/either')).json(), { via: 'session' })
    assert.equal(asked, 0)
    assert.deepEqual((await app.inject('/hand/fresh')).statusCode, 200)
    assert.equal(asked, 1)
  })

  test(`${backend.name}: deleteAccount: ends all credentials, one-time tokens and address reservations`, async (t) => {
    const mailbox = new Mailbox()
    const { app, rows } = await buildOAuth(t, {
      auth: { ...backend.options(), email: mailbox.options() },
      routes: byHand,
    })
    const owner = await browserOf(app, 'ann')
    const verify = await mailbox.token('ann@example.com', 'verify_email')
    answers(await owner.post('/email/verify-confirm', { token: verify }), 200)
    landsOn(await owner.link(ada), '/start')
    const change = { new_email: 'new@example.com', password }
    answers(await owner.post('/email/change-request', change), 202)
    const moved = await mailbox.token('new@example.com', 'change_email')
    answers(await owner.post('/email/change-confirm', { token: moved }), 200)
    const asked = { username: 'ann', password }
    const tokens = (await new Client(app).form('/token', asked)).json()
    answers(await owner.post('/password/reset-request', { email: 'new@example.com' }), 202)
    const reset = await mailbox.token('new@example.com', 'reset_password')
    const revert = await mailbox.token('ann@example.com', 'email_changed')

    assert.equal((await owner.delete('/hand/account')).statusCode, 200)
    assert.equal(await owner.me(), null)
    refuses(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(
      await new Client(app).post('/refresh', { refresh_token: tokens.refresh_token }),
      'CRUDAUTH_INVALID_TOKEN',
    )
    for (const [url, token] of [
      ['/password/reset-confirm', reset],
      ['/email/change-revert', revert],
    ] as const) {
      refuses(
        await new Client(app).post(url, { token, new_password: 'a new good password' }),
        'CRUDAUTH_TOKEN_INVALID_OR_USED',
      )
    }
    const [row] = await rows()
    assert.equal(row?.acmeId, null)
    // The address that was reserved for the account is free again.
    answers(
      await new Client(app).post('/register', {
        ...asked,
        username: 'ann2',
        email: 'ann@example.com',
      }),
      202,
    )
    assert.ok((await rows()).some((one) => one?.email === 'ann@example.com'))
    refuses(
      await app.inject({ method: 'DELETE', url: '/hand/account' }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
  })

  test(`${backend.name}: deleteAccount: accepts a stateless access token unless token_version was raised`, async (t) => {
    const { app } = await setUp(t, {
      transports: [bearerTransport({ refresh: 'body', statelessUser: true })],
    })
    const asked = { username: 'ann', password }
    const tokenOf = async () => (await new Client(app).form('/token', asked)).json().access_token
    const old = await tokenOf()
    const ask = async (token: string) =>
      app.inject({
        method: 'DELETE',
        url: '/hand/account',
        headers: { authorization: `Bearer ${token}` },
      })
    const user = await app.crudAuth.users.findById(1)
    await app.crudAuth.users.update(1, { tokenVersion: Number(user?.tokenVersion ?? 0) + 1 })
    refuses(await ask(old), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal((await ask(await tokenOf())).statusCode, 200)
    refuses(await new Client(app).form('/token', asked), 'CRUDAUTH_BAD_CREDENTIALS')
  })

  test(`${backend.name}: deleteAccount: one of 100 parallel deletions succeeds; the others get 401`, async (t) => {
    const { app } = await setUp(t)
    const client = await signedIn(app, 'bob')
    const all = await Promise.all(Array.from({ length: 100 }, () => client.delete('/hand/account')))
    assert.deepEqual(statuses(all), { 200: 1, 401: 99 })
    refuses(await new Client(app).login('bob'), 'CRUDAUTH_BAD_CREDENTIALS')
  })
}
