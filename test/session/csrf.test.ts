import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const csrfCookie = 'csrf_token'
const verbs = ['POST', 'PUT', 'PATCH', 'DELETE'] as const

const guarded = (app: FastifyInstance) => {
  app.route({
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/thing',
    onRequest: app.currentUser(),
    handler: async () => 'done',
  })
}

describe('X-CSRF-Token', () => {
  for (const backend of backends) {
    test(`${backend.name}: the app's routes require it for unsafe methods only`, async (t) => {
      const app = await build(t, { auth: backend.options(), routes: guarded })
      const client = await signedIn(app, 'ann')
      const { csrf } = client
      const cookie = [...client.cookies].map((pair) => pair.join('=')).join('; ')
      const send = (method: (typeof verbs)[number] | 'GET' | 'HEAD' | 'OPTIONS', token?: string) =>
        app.inject({
          method,
          url: '/thing',
          headers: { cookie, ...(token !== undefined && { 'x-csrf-token': token }) },
        })
      for (const method of verbs) {
        refuses(await send(method), 'CRUDAUTH_CSRF')
        for (const wrong of [
          '',
          ' ',
          'null',
          `${csrf} `.repeat(2),
          `${csrf}A`,
          csrf?.slice(1) ?? '',
          csrf?.toUpperCase() ?? '',
        ]) {
          refuses(await send(method, wrong), 'CRUDAUTH_CSRF')
        }
        assert.equal((await send(method, csrf ?? '')).body, 'done')
      }
      for (const method of ['GET', 'HEAD', 'OPTIONS'] as const)
        assert.equal((await send(method)).statusCode, 200, method)
    })

    test(`${backend.name}: a token of another session is refused, even of the same user`, async (t) => {
      const app = await build(t, { auth: backend.options(), routes: guarded })
      const client = await signedIn(app, 'ann')
      const second = new Client(app)
      await second.login('ann')
      const bob = await signedIn(app, 'bob')
      for (const foreign of [second.csrf, bob.csrf]) {
        client.csrf = foreign
        refuses(await client.post('/thing'), 'CRUDAUTH_CSRF')
      }
    })
  }

  test('a token in the cookie, body, query or another header is ignored', async (t) => {
    const app = await build(t, { routes: guarded })
    const client = await signedIn(app, 'ann')
    const token = client.csrf as string
    client.csrf = null
    assert.equal(client.cookies.get(csrfCookie), token)
    for (const name of ['csrf_token', '_csrf', 'x-csrf-token', 'X-CSRF-Token']) {
      refuses(await client.post(`/thing?${name}=${token}`), 'CRUDAUTH_CSRF')
      refuses(await client.post('/thing', { [name]: token }), 'CRUDAUTH_CSRF')
      refuses(await client.form('/thing', { [name]: token }), 'CRUDAUTH_CSRF')
    }
    for (const name of ['x-xsrf-token', 'csrf-token', 'x-csrftoken']) {
      refuses(
        await client.post('/thing', undefined, { headers: { [name]: token } }),
        'CRUDAUTH_CSRF',
      )
    }
  })

  test('a duplicate header is refused', async (t) => {
    const app = await build(t, { routes: guarded })
    const client = await signedIn(app, 'ann')
    const token = client.csrf as string
    client.csrf = null
    const twice = { 'x-csrf-token': [token, token] as unknown as string }
    refuses(await client.post('/thing', undefined, { headers: twice }), 'CRUDAUTH_CSRF')
  })

  test('a missing token is refused on optional routes too, not treated as anonymous', async (t) => {
    const app = await build(t, {
      routes: (app) =>
        void app.post(
          '/maybe',
          { onRequest: app.currentUser({ optional: true }) },
          async () => 'in',
        ),
    })
    const client = await signedIn(app, 'ann')
    assert.equal((await new Client(app).post('/maybe')).body, 'in')
    client.csrf = null
    refuses(await client.post('/maybe'), 'CRUDAUTH_CSRF')
  })

  test('method overrides in a header, query or body do not bypass the check', async (t) => {
    const app = await build(t, { routes: guarded })
    const client = await signedIn(app, 'ann')
    client.csrf = null
    refuses(
      await client.post(
        '/thing?_method=GET',
        { _method: 'GET' },
        { headers: { 'x-http-method-override': 'GET' } },
      ),
      'CRUDAUTH_CSRF',
    )
  })

  test('the token is checked before the body is read', async (t) => {
    const app = await build(t)
    const client = await signedIn(app, 'ann')
    client.csrf = null
    const response = await client.post('/change-password', undefined, {
      headers: { 'content-type': 'text/plain' },
      payload: 'x'.repeat(20_000),
    })
    refusesOwn(response, 'CRUDAUTH_CSRF')
  })

  test('csrf: false turns the check off', async (t) => {
    const app = await build(t, {
      auth: { transports: [sessionTransport({ csrf: false, managementRoutes: true })] },
      routes: guarded,
    })
    const client = await signedIn(app, 'ann')
    assert.equal(client.csrf, null)
    assert.equal((await client.post('/thing')).statusCode, 200)
    answers(
      await client.post('/change-password', {
        current_password: password,
        new_password: 'another good phrase',
      }),
      200,
    )
  })
})

describe('POST /csrf/refresh', () => {
  for (const backend of backends) {
    test(`${backend.name}: a valid cookie gets the same token back, without a CSRF header`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const { csrf } = client
      client.csrf = null
      for (let n = 0; n < 2; n++) {
        const response = await client.post('/csrf/refresh')
        assert.deepEqual(answers(response, 200), { csrf_token: csrf })
        assert.equal(response.headers['set-cookie'], undefined)
      }
      client.csrf = csrf
      answers(await client.post('/logout'), 200)
    })

    for (const [what, held] of [
      ['a missing', null],
      ['a wrong', 'A'.repeat(43)],
      ['an empty', ''],
    ] as const) {
      test(`${backend.name}: ${what} cookie gets a new token and cookie, and the old token stops working`, async (t) => {
        const app = await build(t, { auth: backend.options() })
        const client = new Client(app)
        await client.register('ann')
        await client.login('ann', password, { remember_me: 'on' })
        const old = client.csrf
        client.csrf = null
        if (held === null) client.cookies.delete(csrfCookie)
        else client.cookies.set(csrfCookie, held)
        const response = await client.post('/csrf/refresh')
        const token = answers(response, 200).csrf_token
        assert.notEqual(token, old)
        const cookies = setCookies(response)
        assert.deepEqual(Object.keys(cookies), [csrfCookie])
        assert.equal(cookies[csrfCookie]?.value, token)
        assert.equal(cookies[csrfCookie]?.attributes, 'path=/; samesite=lax; secure')
        assert.equal(cookies[csrfCookie]?.maxAge, 30 * 86_400)
        client.csrf = old
        refusesOwn(await client.post('/logout'), 'CRUDAUTH_CSRF')
        client.csrf = token
        answers(await client.post('/logout'), 200)
      })
    }

    test(`${backend.name}: 401 without an active session, and no cookie is set or cleared`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const held = new Map(client.cookies)
      await client.post('/logout')
      refusesOwn(await new Client(app).post('/csrf/refresh'), 'CRUDAUTH_UNAUTHENTICATED')
      const stale = new Client(app)
      for (const [name, value] of held) stale.cookies.set(name, value)
      const response = await stale.post('/csrf/refresh')
      refusesOwn(response, 'CRUDAUTH_UNAUTHENTICATED', [...held.values()])
      assert.equal(response.headers['set-cookie'], undefined)
    })

    test(`${backend.name}: new tokens are limited to 30 an hour per session, the current one is not`, async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), rateLimits: { register: false } },
      })
      const client = await signedIn(app, 'ann')
      const again = async () => {
        const response = await client.post('/csrf/refresh')
        assert.equal(answers(response, 200).csrf_token, client.csrf)
        assert.equal(response.headers['x-ratelimit-limit'], undefined)
      }
      for (let n = 0; n < 40; n++) await again()
      for (let n = 1; n <= 30; n++) {
        client.cookies.delete('csrf_token')
        const response = await client.post('/csrf/refresh')
        client.csrf = answers(response, 200).csrf_token
        assert.equal(response.headers['x-ratelimit-limit'], '30')
        assert.equal(response.headers['x-ratelimit-remaining'], String(30 - n))
      }
      await again()
      client.cookies.delete('csrf_token')
      refusesOwn(await client.post('/csrf/refresh'), 'CRUDAUTH_RATE_LIMITED')
      const other = new Client(app)
      await other.login('ann')
      answers(await other.post('/csrf/refresh'), 200)
    })
  }

  test('csrf: false makes it answer 400', async (t) => {
    const app = await build(t, {
      auth: { transports: [sessionTransport({ csrf: false, managementRoutes: true })] },
    })
    const client = await signedIn(app, 'ann')
    refusesOwn(await client.post('/csrf/refresh'), 'CRUDAUTH_BAD_REQUEST')
  })
})
