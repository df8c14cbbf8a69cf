import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeUserId } from '../../src/core/users/user-id.js'
import { shortHmac } from '../../src/crypto/digest.js'
import { backends } from '../helpers/backends.js'
import { purposeKey } from '../helpers/bearer.js'
import { build, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { csrfCookie, sessionCookie } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

for (const backend of backends) {
  test(`${backend.name}: session cookie: duplicate, altered and misplaced values are ignored`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const ann = await signedIn(app, 'ann')
    const bob = await signedIn(app, 'bob')
    const value = ann.cookies.get(sessionCookie) ?? ''
    const foreign = bob.cookies.get(sessionCookie) ?? ''
    const [half = '', tag = ''] = value.split('.')
    const [, otherTag = ''] = foreign.split('.')
    const me = (cookie: string) => app.inject({ method: 'GET', url: '/me', headers: { cookie } })
    const pair = (text: string, name = sessionCookie) => `${name}=${text}`

    assert.equal((await me(pair(value))).statusCode, 200)
    for (const cookie of [
      `${pair(value)} `,
      ` ${pair(value)};`,
      `a=b; ${pair(value)}; c`,
      `; ;${pair(value)}`,
    ]) {
      assert.equal((await me(cookie)).json().username, 'ann', cookie)
    }
    const none = [
      `${pair(value)}; ${pair(value)}`,
      `${pair(value)}; ${pair(foreign)}`,
      `${pair(foreign)}; ${pair(value)}`,
      `${pair('')}; ${pair(value)}`,
      `${pair(value)}; ${sessionCookie}=`,
      pair(`"${value}"`),
      pair(`${half}.${otherTag}`),
      pair(`${half}.`),
      pair(half),
      pair(`.${tag}`),
      pair(`${value}.`),
      pair(`${value}=`),
      pair(`${value}%00`),
      pair(encodeURIComponent(value).replace('.', '%2E')),
      pair(`${half}..${tag}`),
      pair(`${value}${value}`),
      pair(value.toLowerCase()),
      pair(value.toUpperCase()),
      pair(`${half.slice(0, -1)}${half.endsWith('A') ? 'E' : 'A'}.${tag}`),
      pair('A'.repeat(5000)),
      pair(`${'A'.repeat(43)}.${tag}`),
      pair(`__proto__.${tag}`),
      pair('\u00e4\u00f6\u00fc'),
      pair(value, sessionCookie.toLowerCase()),
      pair(value, sessionCookie.toUpperCase()),
      pair(value, 'crudauth_session'),
      pair(value, '__Secure-crudauth_session'),
      pair(value, csrfCookie),
      `${sessionCookie}${value}`,
      value,
      '',
      ';'.repeat(1000),
      '=;=;=',
    ]
    for (const cookie of none) {
      const response = await me(cookie)
      refuses(response, 'CRUDAUTH_UNAUTHENTICATED', [value, half])
      assert.equal(response.headers['set-cookie'], undefined)
    }
    for (const url of [`/me?${pair(value)}`, `/me?session=${value}`, `/me?token=${value}`]) {
      refuses(await app.inject({ method: 'GET', url }), 'CRUDAUTH_UNAUTHENTICATED')
    }
    for (const headers of [
      { authorization: `Bearer ${value}` },
      { 'x-session': value },
      { [sessionCookie.toLowerCase()]: value },
    ]) {
      refuses(
        await app.inject({ method: 'GET', url: '/me', headers: headers as never }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
    }
    assert.equal((await ann.get('/me')).statusCode, 200, 'the session is still valid')
  })

  test(`${backend.name}: CSRF: a token counts only in its header and only for its own session`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const ann = await signedIn(app, 'ann')
    const other = new Client(app)
    await other.login('ann')
    const token = ann.csrf ?? ''
    const session = `${sessionCookie}=${ann.cookies.get(sessionCookie)}`
    const post = (
      headers: Record<string, string | string[]>,
      url = '/logout-all?keep_current=1',
      payload: object | null = null,
    ) => app.inject({ method: 'POST', url, headers: headers as never, ...(payload && { payload }) })
    const refusedWith = [
      {},
      { cookie: `${session}; ${csrfCookie}=${token}` },
      { 'x-csrf-token': '' },
      { 'x-csrf-token': other.csrf ?? '' },
      { 'x-csrf-token': `${token} x` },
      { 'x-csrf-token': token.slice(0, -1) },
      { 'x-csrf-token': token.toLowerCase() },
      { 'x-csrf-token': `"${token}"` },
      { 'x-csrf-token': [token, token] },
      { 'x-csrf-token': 'x'.repeat(10_000) },
      { 'x-csrf-token': 'undefined' },
      { 'x-xsrf-token': token },
      { 'csrf-token': token },
      { 'x-csrf-token': ann.cookies.get(sessionCookie) ?? '' },
    ]
    for (const headers of refusedWith)
      refuses(await post({ cookie: session, ...headers } as never), 'CRUDAUTH_CSRF', [token])
    for (const url of [
      `/logout?x-csrf-token=${token}`,
      `/logout?csrf_token=${token}`,
      `/logout?_csrf=${token}`,
    ]) {
      refuses(await post({ cookie: session }, url), 'CRUDAUTH_CSRF')
      refuses(
        await post({ cookie: session }, url, {
          csrf_token: token,
          _csrf: token,
          'x-csrf-token': token,
        }),
        'CRUDAUTH_CSRF',
      )
    }
    for (const method of ['x-http-method-override', 'x-method-override', 'x-http-method']) {
      refuses(await post({ cookie: session, [method]: 'GET' }), 'CRUDAUTH_CSRF')
    }
    assert.equal((await other.get('/me')).statusCode, 200, 'no session was revoked')
    assert.equal((await post({ cookie: session, 'x-csrf-token': token })).statusCode, 200)
  })

  test(`${backend.name}: CSRF: app routes require the token for every unsafe method, QUERY included`, async (t) => {
    const app = await build(t, {
      auth: backend.options(),
      routes(app) {
        app.addHttpMethod('QUERY', { hasBody: true })
        app.route({
          method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'],
          url: '/own',
          onRequest: app.currentUser(),
          handler: async () => ({}),
        })
      },
    })
    const ann = await signedIn(app, 'ann')
    const ask = (method: string, headers: Record<string, string> = {}) =>
      app.inject({
        method: method as 'GET',
        url: '/own',
        headers: { cookie: `${sessionCookie}=${ann.cookies.get(sessionCookie)}`, ...headers },
        ...(method === 'QUERY' && { payload: {} }),
      })
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      assert.equal((await ask(method)).statusCode, 200, method)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY']) {
      assert.equal((await ask(method)).statusCode, 403, method)
      assert.equal((await ask(method, { 'x-csrf-token': ann.csrf ?? '' })).statusCode, 200, method)
    }
  })

  test(`${backend.name}: session fixation: login replaces and revokes a planted session`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const mallory = await signedIn(app, 'mallory')
    const planted = mallory.cookies.get(sessionCookie) ?? ''
    const victim = new Client(app)
    await victim.register('victim')
    for (const value of [planted, `${'A'.repeat(43)}.${'B'.repeat(22)}`, 'fixed']) {
      victim.cookies.set(sessionCookie, value)
      victim.cookies.set(csrfCookie, mallory.csrf ?? '')
      const response = await victim.login('victim')
      assert.equal(response.statusCode, 200)
      assert.notEqual(victim.cookies.get(sessionCookie), value)
      assert.notEqual(victim.csrf, mallory.csrf)
      assert.equal((await victim.get('/me')).json().username, 'victim')
    }
    refuses(await mallory.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test(`${backend.name}: POST /login: issues a new session and revokes the one it was sent with`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const client = await signedIn(app, 'ann')
    const seen = new Set<string>()
    for (let i = 0; i < 5; i++) {
      const value = client.cookies.get(sessionCookie) ?? ''
      assert.match(value, /^[\w-]{43}\.[\w-]{22}$/)
      assert.ok(!seen.has(value) && !seen.has(client.csrf ?? ''))
      seen.add(value).add(client.csrf ?? '')
      await client.login('ann')
      const response = await app.inject({
        method: 'GET',
        url: '/me',
        headers: { cookie: `${sessionCookie}=${value}` },
      })
      refuses(response, 'CRUDAUTH_UNAUTHENTICATED')
    }
    assert.equal((await client.get('/sessions')).json().length, 1)
  })
}

test('session cookie: an app with another secret rejects it, even over the same Redis', async (t) => {
  for (const backend of backends) {
    const state = backend.options()
    const here = await build(t, { auth: state })
    const there = await build(t, { auth: { ...state, secret: `${secret}-other` } })
    const ann = await signedIn(here, 'ann')
    const foreign = await signedIn(there, 'ann')
    const client = new Client(here)
    const me = (value: string) => {
      client.cookies.set(sessionCookie, value)
      return client.get('/me')
    }
    refuses(await me(foreign.cookies.get(sessionCookie) ?? ''), 'CRUDAUTH_UNAUTHENTICATED')
    // The live session of this app, under the tag that the other secret gives its user.
    const value = ann.cookies.get(sessionCookie) ?? ''
    const tagBy = (from: string) => shortHmac(purposeKey('slot', from), encodeUserId(1))
    const [id = '', tag = ''] = value.split('.')
    assert.equal(tag, tagBy(secret))
    refuses(await me(`${id}.${tagBy(`${secret}-other`)}`), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal((await me(value)).statusCode, 200)
  }
})
