import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { currentUser, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { sessionCookie } from '../helpers/hostile.js'
import { challengeOf, codeAt, enrolledUser, mfaOptions, verify, wrongCode } from '../helpers/mfa.js'
import { countingUsers } from '../helpers/users.js'

const auth = { mfa: mfaOptions }

/** Routes that show a principal, and a hand-written login with metadata. */
function routes(app: FastifyInstance) {
  app.get('/principal', { onRequest: currentUser() }, async ({ principal }) => ({
    amr: principal.amr,
    metadata: principal.metadata,
  }))
  app.post('/by-hand', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const user = await app.crudAuth.users.findBy('username', 'ada')
    assert.ok(user)
    const metadata = request.body as Record<string, unknown>
    return app.crudAuth.completeLogin(request, reply, user, { metadata, rememberMe: true })
  })
}

describe('between the password and the code', () => {
  test('nothing in the response authenticates', async (t) => {
    const { store, calls } = countingUsers(memoryUsers())
    const app = await build(t, { auth: { ...auth, users: store } })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const login = await client.login('ada', undefined, { remember_me: 'true' })
    const body = answers(login, 200)
    assert.deepEqual(Object.keys(body).sort(), ['challenge', 'expires_in', 'mfa_required'])
    assert.deepEqual([body.mfa_required, body.expires_in], [true, 300])
    assert.equal(login.headers['set-cookie'], undefined)
    const { challenge } = body
    const reads = calls.findById
    for (const credential of [
      { authorization: `Bearer ${challenge}` },
      { cookie: `${sessionCookie}=${challenge}` },
      { cookie: `${sessionCookie}=${challenge}.${challenge.slice(0, 22)}` },
    ])
      refusesOwn(await client.get('/me', { headers: credential }), 'CRUDAUTH_UNAUTHENTICATED')
    refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    for (const url of ['/sessions', '/mfa'])
      refusesOwn(await client.get(url), 'CRUDAUTH_UNAUTHENTICATED')
    for (const url of ['setup', 'confirm', 'disable']) {
      const response = await client.post(`/mfa/totp/${url}`, { code: codeAt(secret) })
      refusesOwn(response, 'CRUDAUTH_UNAUTHENTICATED')
    }
    assert.equal(calls.findById, reads, 'no user was read')
    refusesOwn(await client.post('/logout'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('the session that the browser had stays, until the code is right', async (t) => {
    const app = await build(t, { auth })
    const { client, secret } = await enrolledUser(app, 'ada')
    const before = client.cookies.get(sessionCookie)
    const csrf = client.csrf
    const challenge = await challengeOf(client, 'ada')
    assert.equal(client.cookies.get(sessionCookie), before)
    client.csrf = csrf
    answers(await client.get('/me'), 200)
    answers(await verify(client, challenge, codeAt(secret)), 200)
    assert.notEqual(client.cookies.get(sessionCookie), before)
    const old = new Client(app)
    old.cookies.set(sessionCookie, before ?? '')
    refusesOwn(await old.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal(answers(await client.get('/sessions'), 200).length, 1)
  })

  test('POST /mfa/challenge describes it, and counts nothing', async (t) => {
    const app = await build(t, { auth: { mfa: { ...mfaOptions, recoveryCodes: 1 } } })
    const { secret, recoveryCodes } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    for (let asked = 0; asked < 10; asked++) {
      const body = answers(await client.post('/mfa/challenge', { challenge }), 200)
      assert.deepEqual(body, { setup: null, methods: ['totp', 'recovery_code'] })
    }
    answers(await verify(client, challenge, recoveryCodes[0] ?? ''), 200)
    const next = await challengeOf(client, 'ada')
    const body = answers(await client.post('/mfa/challenge', { challenge: next }), 200)
    assert.deepEqual(body, { setup: null, methods: ['totp'] })
    for (const gone of [challenge, 'A'.repeat(43), ''])
      refusesOwn(
        await client.post('/mfa/challenge', { challenge: gone }),
        'CRUDAUTH_TOKEN_INVALID_OR_USED',
      )
    answers(await verify(client, next, codeAt(secret)), 200)
  })
})

describe('POST /mfa/verify: finishes the sign-in that began', () => {
  test('remember_me survives the challenge', async (t) => {
    const app = await build(t, { auth })
    const { secret } = await enrolledUser(app, 'ada')
    for (const [fields, isKept, at] of [
      [{ remember_me: 'true' }, true, 0],
      [{}, false, 30_000],
    ] as const) {
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada', fields)
      const verified = await verify(client, challenge, codeAt(secret, Date.now() + at))
      answers(verified, 200)
      assert.equal(setCookies(verified)[sessionCookie]?.maxAge !== undefined, isKept)
    }
  })

  test('metadata up to its limit survives the challenge', async (t) => {
    const app = await build(t, { auth, routes })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const metadata = { text: 'ü'.repeat((2048 - '{"text":""}'.length - 1) / 2) }
    const { challenge } = answers(await client.post('/by-hand', metadata), 200)
    const verified = await verify(client, challenge, codeAt(secret))
    answers(verified, 200)
    assert.notEqual(setCookies(verified)[sessionCookie]?.maxAge, undefined)
    assert.deepEqual((await client.get('/principal')).json().metadata, metadata)
  })

  test('principal.amr tells the methods, with mfa', async (t) => {
    const app = await build(t, { auth, routes })
    const { client: owner, secret, recoveryCodes } = await enrolledUser(app, 'ada')
    assert.deepEqual((await owner.get('/principal')).json().amr, ['pwd'])
    for (const [code, method] of [
      [codeAt(secret), 'otp'],
      [recoveryCodes[0] ?? '', 'recovery'],
    ] as const) {
      const client = new Client(app)
      answers(await verify(client, await challengeOf(client, 'ada'), code), 200)
      assert.deepEqual((await client.get('/principal')).json().amr, ['pwd', method, 'mfa'])
    }
  })

  test('onAfterLogin fires after the code, not after the password', async (t) => {
    const events: string[] = []
    const app = await build(t, {
      auth: {
        ...auth,
        hooks: {
          onBeforeLogin: () => events.push('before'),
          onAfterLogin: (_user, { transport }) => events.push(`after ${transport}`),
          onLoginFailed: () => events.push('failed'),
          onMfaFailed: (user, { purpose, request }) => {
            assert.equal(request.url, '/mfa/verify')
            assert.equal((user as unknown as { username: string }).username, 'ada')
            assert.ok(!('hashedPassword' in user) && !('totpSecretEncrypted' in user))
            events.push(`mfa failed: ${purpose}`)
          },
        },
      },
    })
    const { secret } = await enrolledUser(app, 'ada')
    events.length = 0
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    assert.deepEqual(events, ['before'])
    await verify(client, challenge, wrongCode(secret))
    assert.deepEqual(events, ['before', 'mfa failed: sign_in'])
    await verify(client, challenge, codeAt(secret))
    assert.deepEqual(events, ['before', 'mfa failed: sign_in', 'after session'])
  })

  test('an account without a second factor signs in as before', async (t) => {
    const app = await build(t, { auth, routes })
    const client = new Client(app)
    await client.register('bob')
    const body = answers(await client.login('bob'), 200)
    assert.deepEqual(Object.keys(body).sort(), ['csrf_token', 'id', 'username'])
    assert.deepEqual((await client.get('/principal')).json().amr, ['pwd'])
  })

  test('forms are accepted like JSON', async (t) => {
    const app = await build(t, { auth: { ...auth, transports: [sessionTransport()] } })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    answers(await client.form('/mfa/challenge', { challenge }), 200)
    const code = codeAt(secret)
    answers(await client.form('/mfa/verify', { challenge, code, remember_device: 'on' }), 200)
    answers(await client.get('/me'), 200)
  })
})
