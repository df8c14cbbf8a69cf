import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Fastify from 'fastify'
import { bearerTransport, crudAuth, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import {
  asBearer,
  askRefresh,
  askToken,
  bearerApp,
  claimsOf,
  postJson,
  sha256,
  signedInBearer,
  times,
  tokensOf,
} from '../helpers/bearer.js'
import { build, cheap, password, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'

const wrong = 'wrong password'
const device = '__Host-crudauth_device'
const refreshForm = /^[\w-]{22}\.[\w-]{22}\.[\w-]{43}$/

for (const backend of backends) {
  describe(`${backend.name}: POST /token`, () => {
    test('accepts form and JSON bodies and responds as in RFC 6749', async (t) => {
      const app = await bearerApp(t, backend, {
        defaultScopes: ['read'],
        grantableScopes: ['read', 'write'],
      })
      const client = new Client(app)
      await client.register('ann')
      const fields = { username: 'ann', password }
      for (const response of [
        await client.form('/token', fields),
        await client.form('/token', { ...fields, grant_type: 'password' }),
        await client.post('/token', fields),
        await client.post('/token', {
          ...fields,
          username: 'ann@example.com',
          grant_type: 'password',
        }),
      ]) {
        const body = answers(response, 200)
        assert.deepEqual(Object.keys(body).sort(), [
          'access_token',
          'expires_in',
          'refresh_token',
          'scope',
          'token_type',
        ])
        assert.equal(body.token_type, 'bearer')
        assert.equal(body.expires_in, 900)
        assert.equal(body.scope, 'read')
        assert.match(body.refresh_token, refreshForm)
        assert.equal(response.headers.pragma, 'no-cache')
        assert.deepEqual(Object.keys(setCookies(response)), [device])
        const me = answers(await asBearer(app, body.access_token), 200)
        assert.deepEqual(me, {
          id: 1,
          user_id: 1,
          username: 'ann',
          email: 'ann@example.com',
          email_verified: false,
          has_password: true,
          is_superuser: false,
          scopes: ['read'],
          via: 'bearer',
        })
      }
    })

    test('requested scopes are reduced to grantableScopes, without duplicates', async (t) => {
      const app = await bearerApp(t, backend, {
        defaultScopes: ['read'],
        grantableScopes: ['read', 'write', 'a:b/c'],
      })
      await signedInBearer(app)
      for (const [scope, granted] of [
        ['write', 'write'],
        ['write read', 'write read'],
        ['  write   write  ', 'write'],
        ['admin', ''],
        ['admin a:b/c', 'a:b/c'],
        ['READ', ''],
        ['read,write', ''],
        ['', 'read'],
        ['   ', 'read'],
        ['__proto__ constructor', ''],
      ] as const) {
        const { access_token, scope: told } = tokensOf(await askToken(app, 'ann', { scope }))
        assert.equal(told, granted, `asked for "${scope}"`)
        assert.equal(claimsOf(access_token).scope, granted)
        const scopes = granted === '' ? [] : granted.split(' ')
        assert.deepEqual(answers(await asBearer(app, access_token), 200).scopes, scopes)
      }
    })

    test('expires_in is the configured lifetime and matches exp', async (t) => {
      const app = await bearerApp(t, backend, { accessSeconds: 61 })
      const { access_token, expires_in } = await signedInBearer(app)
      const { iat, exp } = claimsOf(access_token) as { iat: number; exp: number }
      assert.equal(expires_in, 61)
      assert.equal(exp - iat, 61)
    })

    test('a malformed body is refused and does not count towards the lockout', async (t) => {
      const app = await bearerApp(t, backend)
      await new Client(app).register('ann')
      const bad = [
        {},
        { username: 'ann' },
        { password },
        { username: 'ann', password: [password] },
        { username: 7, password },
        { username: 'ann', password, scope: ['read'] },
        { username: 'ann', password, scope: 'x'.repeat(2049) },
        { username: 'ann', password, grant_type: 'refresh_token' },
        { username: 'ann', password, grant_type: '' },
        { username: 'x'.repeat(321), password },
      ]
      for (const body of bad)
        refusesOwn(await postJson(app, '/token', body), 'FST_ERR_VALIDATION', [password])
      const twice = await app.inject({
        method: 'POST',
        url: '/token',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: `username=ann&password=${encodeURIComponent(password)}&scope=a&scope=b`,
      })
      refusesOwn(twice, 'FST_ERR_VALIDATION')
      assert.equal(
        (
          await app.inject({
            method: 'POST',
            url: '/token',
            payload: 'x',
            headers: { 'content-type': 'text/plain' },
          })
        ).statusCode,
        415,
      )
      answers(await askToken(app), 200)
    })

    test('user enumeration: every failed sign-in gets the same response', async (t) => {
      const users = memoryUsers()
      const app = await bearerApp(t, backend, {}, { users })
      for (const name of ['ann', 'gone', 'oauth']) await new Client(app).register(name)
      await users.update(2, { isActive: false })
      await users.update(3, { hashedPassword: app.crudAuth.passwords.unusable() })
      const bodies = new Set<string>()
      for (const [name, guess] of [
        ['ann', wrong],
        ['nobody', password],
        ['gone', password],
        ['oauth', password],
        ['ann', ''],
        ['ann', 'short'],
      ] as const) {
        const response = await askToken(app, name, { password: guess })
        refusesOwn(response, 'CRUDAUTH_BAD_CREDENTIALS', [password])
        assert.equal(response.headers['www-authenticate'], 'Bearer')
        assert.equal(response.headers['set-cookie'], undefined)
        bodies.add(response.body)
      }
      assert.equal(bodies.size, 1)
    })

    test('the lockout is shared with POST /login in both directions', async (t) => {
      const transports = [sessionTransport(), bearerTransport({ refresh: 'body' })]
      for (const [first, second] of [
        ['/token', '/login'],
        ['/login', '/token'],
      ] as const) {
        const app = await build(t, { auth: { ...backend.options(), transports } })
        await new Client(app).register('ann')
        for (const name of ['ann', 'ann@example.com', 'ann', 'ANN@example.com', 'ann']) {
          refusesOwn(
            await postJson(app, first, { username: name, password: wrong }),
            'CRUDAUTH_BAD_CREDENTIALS',
          )
        }
        for (const url of [second, first]) {
          const locked = await postJson(app, url, { username: 'ann', password })
          refusesOwn(locked, 'CRUDAUTH_LOCKED_OUT', [password])
        }
      }
    })

    test('a stranger cannot lock out a device known from POST /login', async (t) => {
      const transports = [sessionTransport(), bearerTransport({ refresh: 'body' })]
      const app = await build(t, { auth: { ...backend.options(), transports } })
      const owner = new Client(app, '', { remoteAddress: '198.51.100.1' })
      const stranger = new Client(app, '', { remoteAddress: '203.0.113.1' })
      await owner.register('ann')
      answers(await owner.login('ann'), 200)
      for (let n = 0; n < 5; n++) {
        refusesOwn(
          await stranger.post('/token', { username: 'ann', password: wrong }),
          'CRUDAUTH_BAD_CREDENTIALS',
        )
      }
      refusesOwn(
        await stranger.post('/token', { username: 'ann', password }),
        'CRUDAUTH_LOCKED_OUT',
      )
      answers(await owner.post('/token', { username: 'ann', password }), 200)
      refusesOwn(
        await stranger.post('/token', { username: 'ann', password }),
        'CRUDAUTH_LOCKED_OUT',
      )
    })

    test('a successful sign-in resets the lockout counter of the identifier', async (t) => {
      const app = await bearerApp(t, backend)
      await new Client(app).register('ann')
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 4; n++)
          refusesOwn(await askToken(app, 'ann', { password: wrong }), 'CRUDAUTH_BAD_CREDENTIALS')
        answers(await askToken(app), 200)
      }
    })

    test('calls the login hooks; onBeforeLogin can refuse the sign-in', async (t) => {
      const told: string[] = []
      const app = await bearerApp(
        t,
        backend,
        {},
        {
          hooks: {
            onAfterLogin: (user, { transport }) =>
              told.push(`in ${(user as { username: string }).username} ${transport}`),
            onLoginFailed: ({ reason }) => told.push(reason),
            onBeforeLogin: (user) => {
              if ((user as { username: string }).username === 'bob') throw new Error('not today')
            },
          },
        },
      )
      for (const name of ['ann', 'bob']) await new Client(app).register(name)
      answers(await askToken(app), 200)
      refusesOwn(await askToken(app, 'ann', { password: wrong }), 'CRUDAUTH_BAD_CREDENTIALS')
      refusesOwn(await askToken(app, 'bob'), 'CRUDAUTH_FORBIDDEN')
      assert.deepEqual(told, ['in ann bearer', 'wrong_password'])
      assert.deepEqual(
        await app.crudAuth.sessions.list(2),
        [],
        'a refused sign-in creates no token family',
      )
    })
  })

  describe(`${backend.name}: refresh cookie`, () => {
    const cookie = 'crudauth_refresh'
    const cookieApp = (t: Parameters<typeof build>[0], prefix = '/auth', options = {}) =>
      build(t, {
        auth: {
          ...backend.options(),
          prefix,
          transports: [bearerTransport({ refreshDays: 7, ...options })],
        },
      })

    test('is HttpOnly, Secure, SameSite=Lax and limited to the path of the routes', async (t) => {
      const app = await cookieApp(t)
      const client = new Client(app, '/auth')
      await client.register('ann')
      const response = await client.post('/token', { username: 'ann', password })
      const body = answers(response, 200)
      assert.deepEqual(Object.keys(body).sort(), [
        'access_token',
        'expires_in',
        'scope',
        'token_type',
      ])
      const { [cookie]: set, ...others } = setCookies(response)
      assert.deepEqual(Object.keys(others), [device])
      assert.equal(set?.attributes, 'httponly; path=/auth; samesite=lax; secure')
      assert.equal(set?.maxAge, 7 * 86_400)
      assert.match(set?.value ?? '', refreshForm)
      assert.ok(!response.body.includes(set?.value ?? '?'))
    })

    test('has the __Host- prefix at the root; options override path and attributes', async (t) => {
      const root = await cookieApp(t, '')
      await new Client(root).register('ann')
      assert.equal(
        setCookies(await askToken(root))[`__Host-${cookie}`]?.attributes,
        'httponly; path=/; samesite=lax; secure',
      )
      const narrow = await cookieApp(t, '/auth', {
        refreshCookiePath: '/auth/refresh',
        cookies: { sameSite: 'strict', names: { refresh: 'r' } },
      })
      await new Client(narrow, '/auth').register('ann')
      const response = await askToken(narrow, 'ann', {}, '/auth/token')
      assert.equal(
        setCookies(response).r?.attributes,
        'httponly; path=/auth/refresh; samesite=strict; secure',
      )
    })

    test('the path includes the outer prefix up to its first parameter', async (t) => {
      for (const [outer, path] of [
        ['/v1', '/v1/auth'],
        ['/v1/:tenant', '/v1'],
        ['/:tenant', '/'],
      ] as const) {
        const app = Fastify()
        t.after(() => app.close())
        const options = {
          secret,
          users: memoryUsers(),
          passwords: { cost: cheap },
          transports: [bearerTransport()],
          ...backend.options(),
        }
        await app.register(
          async (child) => void (await child.register(crudAuth, { prefix: '/auth', ...options })),
          {
            prefix: outer,
          },
        )
        const url = outer.replace(':tenant', 'acme')
        await new Client(app, `${url}/auth`).register('ann')
        const set = setCookies(await askToken(app, 'ann', {}, `${url}/auth/token`))
        const refresh = Object.entries(set).find(([name]) => name.endsWith(cookie))
        assert.equal(refresh?.[1].attributes, `httponly; path=${path}; samesite=lax; secure`)
      }
    })

    test('POST /token: a stranger cannot lock the known device of the owner out', async (t) => {
      const app = await cookieApp(t)
      const owner = new Client(app, '/auth', { remoteAddress: '198.51.100.1' })
      const stranger = new Client(app, '/auth', { remoteAddress: '203.0.113.1' })
      await owner.register('ann')
      answers(await owner.post('/token', { username: 'ann', password }), 200)
      for (let n = 0; n < 5; n++) {
        refusesOwn(
          await stranger.post('/token', { username: 'ann', password: wrong }),
          'CRUDAUTH_BAD_CREDENTIALS',
        )
      }
      refusesOwn(
        await stranger.post('/token', { username: 'ann', password }),
        'CRUDAUTH_LOCKED_OUT',
      )
      answers(await owner.post('/token', { username: 'ann', password }), 200)
      refusesOwn(
        await stranger.post('/token', { username: 'ann', password }),
        'CRUDAUTH_LOCKED_OUT',
      )
    })

    test('POST /refresh rotates the cookie and returns no refresh token in the body', async (t) => {
      const app = await cookieApp(t)
      const client = new Client(app, '/auth')
      await client.register('ann')
      await client.post('/token', { username: 'ann', password })
      const before = client.cookies.get(cookie)
      const response = await client.post('/refresh')
      const body = answers(response, 200)
      assert.deepEqual(Object.keys(body).sort(), [
        'access_token',
        'expires_in',
        'scope',
        'token_type',
      ])
      assert.equal(
        setCookies(response)[cookie]?.attributes,
        'httponly; path=/auth; samesite=lax; secure',
      )
      assert.equal(setCookies(response)[cookie]?.maxAge, 7 * 86_400)
      assert.notEqual(client.cookies.get(cookie), before)
      answers(await asBearer(app, body.access_token, '/auth/me'), 200)
      for (const empty of [{}, { grant_type: 'refresh_token' }])
        answers(await client.post('/refresh', empty), 200)
      const form = await client.form('/refresh', { grant_type: 'refresh_token' })
      answers(form, 200)
    })

    test('POST /refresh ignores a token in the body, and a cookie with refresh: body', async (t) => {
      const app = await cookieApp(t)
      const client = new Client(app, '/auth')
      await client.register('ann')
      await client.post('/token', { username: 'ann', password })
      const token = client.cookies.get(cookie) ?? ''
      const refused = await askRefresh(app, token, '/auth/refresh')
      refusesOwn(refused, 'CRUDAUTH_UNAUTHENTICATED', [token])
      const byBody = await bearerApp(t, backend, { refresh: 'body' })
      const { refresh_token } = await signedInBearer(byBody)
      for (const name of [cookie, `__Host-${cookie}`]) {
        const response = await byBody.inject({
          method: 'POST',
          url: '/refresh',
          headers: { cookie: `${name}=${refresh_token}` },
        })
        refusesOwn(response, 'CRUDAUTH_UNAUTHENTICATED', [refresh_token])
      }
      answers(await askRefresh(byBody, refresh_token), 200)
    })

    test('a refused POST /refresh clears no cookie', async (t) => {
      const app = await cookieApp(t)
      const bad = await app.inject({
        method: 'POST',
        url: '/auth/refresh',
        headers: { cookie: `${cookie}=nonsense` },
      })
      refusesOwn(bad, 'CRUDAUTH_INVALID_TOKEN')
      assert.equal(bad.headers['set-cookie'], undefined)
      const none = await app.inject({ method: 'POST', url: '/auth/refresh' })
      refusesOwn(none, 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal(none.headers['set-cookie'], undefined)
    })

    test('duplicate refresh cookies are ignored', async (t) => {
      const app = await cookieApp(t)
      const client = new Client(app, '/auth')
      await client.register('ann')
      await client.post('/token', { username: 'ann', password })
      const pair = `${cookie}=${client.cookies.get(cookie)}`
      for (const header of [`${pair}; ${pair}`, `${cookie}=x; ${pair}`]) {
        const response = await app.inject({
          method: 'POST',
          url: '/auth/refresh',
          headers: { cookie: header },
        })
        refusesOwn(response, 'CRUDAUTH_UNAUTHENTICATED')
      }
      answers(await client.post('/refresh'), 200)
    })

    test('cross-site requests are refused with refresh: cookie, accepted with refresh: body', async (t) => {
      const trusted = 'https://app.example.org'
      const app = await build(t, {
        auth: { ...backend.options(), transports: [bearerTransport()], trustedOrigins: [trusted] },
      })
      const client = new Client(app)
      await client.register('ann')
      await client.post('/token', { username: 'ann', password })
      const before = [...client.cookies]
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        for (const url of ['/token', '/refresh', '/logout']) {
          const response = await client.post(
            url,
            url === '/token' ? { username: 'ann', password } : undefined,
            { headers },
          )
          refusesOwn(response, 'CRUDAUTH_CROSS_SITE')
          assert.equal(response.headers['set-cookie'], undefined)
        }
      }
      assert.deepEqual([...client.cookies], before)
      answers(
        await client.post('/refresh', undefined, {
          headers: { origin: trusted, 'sec-fetch-site': 'cross-site' },
        }),
        200,
      )
      answers(
        await client.post('/refresh', undefined, { headers: { origin: 'http://localhost:80' } }),
        200,
      )
      const byBody = await bearerApp(t, backend)
      await new Client(byBody).register('ann')
      const headers = { origin: 'https://elsewhere.example' }
      const { refresh_token } = tokensOf(
        await postJson(byBody, '/token', { username: 'ann', password }, headers),
      )
      answers(await postJson(byBody, '/refresh', { refresh_token }, headers), 200)
    })
  })

  describe(`${backend.name}: POST /refresh`, () => {
    test('returns a new access token and a new refresh token of the same family', async (t) => {
      const app = await bearerApp(t, backend)
      let { refresh_token, access_token } = await signedInBearer(app)
      const seen = new Set([refresh_token, access_token])
      for (let n = 0; n < 5; n++) {
        const response = await askRefresh(app, refresh_token)
        answers(response, 200)
        assert.equal(response.headers.pragma, 'no-cache')
        ;({ refresh_token, access_token } = tokensOf(response))
        assert.match(refresh_token, refreshForm)
        answers(await asBearer(app, access_token), 200)
        seen.add(refresh_token).add(access_token)
      }
      assert.equal(seen.size, 12)
      assert.equal((await app.crudAuth.sessions.list(1)).length, 1, 'one token family')
    })

    test('a replayed refresh token is refused and revokes the family', async (t) => {
      const app = await bearerApp(t, backend, { reuseGraceSeconds: 0 })
      const first = await signedInBearer(app)
      const second = tokensOf(await askRefresh(app, first.refresh_token))
      refusesOwn(await askRefresh(app, first.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      refusesOwn(await askRefresh(app, second.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    })

    test('without rotation the refresh token is reusable and no new one is returned', async (t) => {
      const app = await bearerApp(t, backend, { rotateRefresh: false, reuseGraceSeconds: 0 })
      const { refresh_token } = await signedInBearer(app)
      for (let n = 0; n < 3; n++) {
        const body = answers(await askRefresh(app, refresh_token), 200)
        assert.deepEqual(Object.keys(body).sort(), [
          'access_token',
          'expires_in',
          'scope',
          'token_type',
        ])
        answers(await asBearer(app, body.access_token), 200)
      }
    })

    test('a malformed or forged refresh token is refused and does not revoke the family', async (t) => {
      const app = await bearerApp(t, backend)
      const { refresh_token, access_token } = await signedInBearer(app)
      const [family = '', tag = '', key = ''] = refresh_token.split('.')
      for (const token of [
        'x',
        access_token.slice(0, 512),
        `${family}.${tag}`,
        `${family}.${tag}.`,
        `.${tag}.${key}`,
        `${key}.${tag}.${family}`,
        `${'A'.repeat(22)}.${tag}.${key}`,
        `${family}.${'A'.repeat(22)}.${key}`,
        `${refresh_token}=`,
        ` ${refresh_token}`,
        `${refresh_token}\n`,
        refresh_token.toUpperCase(),
        `${sha256(family).slice(0, 22)}.${tag}.${key}`,
        `__proto__.${tag}.${key}`,
      ]) {
        const response = await askRefresh(app, token)
        refusesOwn(response, 'CRUDAUTH_INVALID_TOKEN', [key, family])
        assert.equal(response.headers['www-authenticate'], 'Bearer')
      }
      refusesOwn(await postJson(app, '/refresh', {}), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await askRefresh(app, ''), 'CRUDAUTH_UNAUTHENTICATED')
      for (const body of [
        { refresh_token: 7 },
        { refresh_token: [refresh_token] },
        { refresh_token: null },
        { refresh_token: 'x'.repeat(513) },
        [refresh_token],
      ]) {
        refusesOwn(await postJson(app, '/refresh', body), 'FST_ERR_VALIDATION')
      }
      for (const url of [`/refresh?refresh_token=${refresh_token}`]) {
        refusesOwn(await app.inject({ method: 'POST', url }), 'CRUDAUTH_UNAUTHENTICATED')
      }
      answers(await askRefresh(app, refresh_token), 200)
    })

    test('access and refresh tokens are not interchangeable', async (t) => {
      const app = await bearerApp(t, backend)
      const { refresh_token, access_token } = await signedInBearer(app)
      const response = await postJson(app, '/refresh', { refresh_token: access_token })
      assert.ok([400, 401].includes(response.statusCode))
      refusesOwn(await asBearer(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
    })

    test('scopes follow grantableScopes at the time of the refresh', async (t) => {
      const shared = { ...backend.options(), users: memoryUsers() }
      const grant = (grantableScopes: string[]) => bearerApp(t, null, { grantableScopes }, shared)
      const wide = await grant(['read', 'write'])
      // Two processes with shared state, which needs Redis.
      const first = await signedInBearer(wide, 'ann', { scope: 'read write' })
      assert.equal(first.scope, 'read write')
      if (!('redis' in shared)) return
      const narrow = await grant(['read'])
      const second = tokensOf(await askRefresh(narrow, first.refresh_token))
      assert.equal(second.scope, 'read')
      assert.equal(claimsOf(second.access_token).scope, 'read')
      assert.equal(tokensOf(await askRefresh(wide, second.refresh_token)).scope, 'read write')
    })

    test('keeps auth_time and renews iat and jti', async (t) => {
      const app = await bearerApp(t, backend)
      const first = await signedInBearer(app)
      const now = Date.now
      t.mock.method(Date, 'now', () => now() + 100_000)
      const second = tokensOf(await askRefresh(app, first.refresh_token))
      const [before, after] = [claimsOf(first.access_token), claimsOf(second.access_token)]
      assert.equal(after.auth_time, before.auth_time)
      assert.ok((after.iat as number) - (before.iat as number) >= 100)
      assert.notEqual(after.jti, before.jti)
    })

    test('a changed password, a raised token_version or a disabled account ends all tokens', async (t) => {
      const users = memoryUsers()
      const app = await bearerApp(t, backend, {}, { users })
      await new Client(app).register('ann')
      const ended: [string, () => Promise<unknown>][] = [
        [
          'after a password change',
          async () => {
            const { access_token } = tokensOf(await askToken(app))
            const change = { current_password: password, new_password: 'another good one' }
            answers(
              await asBearer(app, access_token, '/change-password', {
                method: 'POST',
                payload: change,
              }),
              200,
            )
            answers(await askToken(app, 'ann', { password: 'another good one' }), 200)
            const hashedPassword = await app.crudAuth.passwords.hash(password)
            await users.update(1, { hashedPassword })
          },
        ],
        ['after raising token_version', () => users.update(1, { tokenVersion: 40 })],
        [
          'after replacing the hash in the row',
          async () =>
            users.update(1, { hashedPassword: await app.crudAuth.passwords.hash(password) }),
        ],
      ]
      for (const [what, change] of ended) {
        const { refresh_token, access_token } = tokensOf(await askToken(app))
        answers(await asBearer(app, access_token), 200)
        await change()
        refusesOwn(await asBearer(app, access_token), 'CRUDAUTH_UNAUTHENTICATED')
        refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN', [what])
      }
      const { refresh_token, access_token } = tokensOf(await askToken(app))
      await users.update(1, { isActive: false })
      refusesOwn(await asBearer(app, access_token), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
    })

    test('a user recreated with the same id inherits no tokens', async (t) => {
      const first = memoryUsers()
      let current = first
      const users = new Proxy(first, { get: (_, name) => Reflect.get(current, name) })
      const app = await bearerApp(t, backend, {}, { users })
      const { refresh_token, access_token } = await signedInBearer(app)
      const unused = tokensOf(await askToken(app))
      answers(await asBearer(app, access_token), 200)
      current = memoryUsers()
      refusesOwn(await asBearer(app, access_token), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      await new Client(app).register('ann')
      refusesOwn(await asBearer(app, access_token), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      // Tokens that the app has not seen since it issued them, so no cache holds them.
      refusesOwn(await asBearer(app, unused.access_token), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await askRefresh(app, unused.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    })

    test('a refresh token expires refreshDays after its last use', async (t) => {
      const app = await bearerApp(t, backend, { refreshDays: 1 / 86_400 })
      const { refresh_token } = await signedInBearer(app)
      const second = tokensOf(await askRefresh(app, refresh_token))
      await new Promise((resolve) => setTimeout(resolve, 1100))
      refusesOwn(await askRefresh(app, second.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
    })
  })

  describe(`${backend.name}: token family revocation`, () => {
    const both = (t: Parameters<typeof build>[0], refresh: 'cookie' | 'body') =>
      build(t, {
        auth: {
          ...backend.options(),
          transports: [sessionTransport({ managementRoutes: true }), bearerTransport({ refresh })],
        },
      })

    test('POST /logout: on a bearer-only app a token in the body revokes only its family', async (t) => {
      const app = await bearerApp(t, backend)
      const { refresh_token } = await signedInBearer(app)
      const other = tokensOf(await askToken(app))
      answers(await postJson(app, '/logout', { refresh_token }), 200)
      refusesOwn(await postJson(app, '/logout', { refresh_token }), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      refusesOwn(await app.inject({ method: 'POST', url: '/logout' }), 'CRUDAUTH_UNAUTHENTICATED')
      answers(await askRefresh(app, other.refresh_token), 200)
    })

    test('POST /logout: on a bearer-only app the refresh cookie is revoked and cleared', async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), transports: [bearerTransport()] },
      })
      const client = new Client(app)
      await client.register('ann')
      await client.post('/token', { username: 'ann', password })
      const token = client.cookies.get('__Host-crudauth_refresh') ?? ''
      const response = await client.post('/logout')
      answers(response, 200)
      assert.equal(setCookies(response)['__Host-crudauth_refresh']?.maxAge, 0)
      assert.deepEqual([...client.cookies.keys()], [device], 'the device cookie is kept')
      client.cookies.set('__Host-crudauth_refresh', token)
      refusesOwn(await client.post('/refresh'), 'CRUDAUTH_INVALID_TOKEN')
    })

    test('POST /logout: a used refresh token revokes its family, too', async (t) => {
      const app = await bearerApp(t, backend)
      const { refresh_token } = await signedInBearer(app)
      const next = tokensOf(await askRefresh(app, refresh_token))
      answers(await postJson(app, '/logout', { refresh_token }), 200)
      refusesOwn(await askRefresh(app, next.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
    })

    test('POST /logout: revokes session and token family; the CSRF header is required', async (t) => {
      for (const refresh of ['cookie', 'body'] as const) {
        const app = await both(t, refresh)
        const client = await signedIn(app, 'ann')
        const tokens = await client.post('/token', { username: 'ann', password })
        const token =
          refresh === 'cookie'
            ? (client.cookies.get('__Host-crudauth_refresh') ?? '')
            : tokensOf(tokens).refresh_token
        const body = refresh === 'cookie' ? {} : { refresh_token: token }
        refusesOwn(
          await client.post('/logout', body, { headers: { 'x-csrf-token': 'wrong' } }),
          'CRUDAUTH_CSRF',
        )
        assert.equal((await app.crudAuth.sessions.list(1)).length, 2)
        answers(await client.post('/logout', body), 200)
        assert.deepEqual(await app.crudAuth.sessions.list(1), [])
        assert.deepEqual([...client.cookies.keys()], ['__Host-crudauth_device'])
      }
    })

    test('POST /logout: an ended session does not prevent revoking the token family', async (t) => {
      const app = await both(t, 'cookie')
      const client = await signedIn(app, 'ann')
      await client.post('/token', { username: 'ann', password })
      const [session] = (await app.crudAuth.sessions.list(1)).filter(
        ({ kind }) => kind === 'session',
      )
      await app.crudAuth.sessions.revoke(1, session?.sessionId ?? '')
      answers(await client.post('/logout'), 200)
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    })

    test('POST /logout: onAfterLogout gets the user of the revoked family', async (t) => {
      const told: unknown[] = []
      const hooks = {
        onAfterLogout: (user: unknown) => told.push((user as { username: string }).username),
      }
      const app = await bearerApp(t, backend, {}, { hooks })
      const { refresh_token } = await signedInBearer(app)
      answers(await postJson(app, '/logout', { refresh_token }), 200)
      refusesOwn(await postJson(app, '/logout', { refresh_token }), 'CRUDAUTH_UNAUTHENTICATED')
      assert.deepEqual(told, ['ann'])
    })

    test('app.crudAuth.sessions: lists and revokes sessions and token families', async (t) => {
      const app = await both(t, 'body')
      const ann = await signedIn(app, 'ann')
      const bob = await signedIn(app, 'bob')
      const [one, two] = [tokensOf(await askToken(app)), tokensOf(await askToken(app))]
      const hers = tokensOf(await askToken(app, 'bob'))
      const list = await app.crudAuth.sessions.list(1)
      assert.deepEqual(list.map(({ kind }) => kind).sort(), ['refresh', 'refresh', 'session'])
      for (const { refresh_token } of [one, two]) {
        const handle = sha256(refresh_token.split('.')[0] ?? '')
        const info = list.find(({ sessionId }) => sessionId === handle)
        assert.equal(info?.kind, 'refresh')
        assert.equal(info?.ip, '127.0.0.1')
        assert.ok(info.createdAt instanceof Date && info.lastActivity instanceof Date)
        assert.ok(!JSON.stringify(info).includes(refresh_token.split('.')[0] ?? '?'))
      }
      const handle = sha256(one.refresh_token.split('.')[0] ?? '')
      assert.equal(await app.crudAuth.sessions.revoke(2, handle), false, 'a family of another user')
      assert.equal(await app.crudAuth.sessions.revoke(1, handle), true)
      assert.equal(await app.crudAuth.sessions.revoke(1, handle), false)
      refusesOwn(await askRefresh(app, one.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      const keep = sha256(two.refresh_token.split('.')[0] ?? '')
      assert.equal(await app.crudAuth.sessions.revokeAll(1, { keep }), 1)
      assert.equal((await ann.get('/me')).statusCode, 401)
      const next = tokensOf(await askRefresh(app, two.refresh_token))
      assert.equal(await app.crudAuth.sessions.revokeAll(1), 1)
      refusesOwn(await askRefresh(app, next.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      answers(await bob.get('/me'), 200)
      answers(await askRefresh(app, hers.refresh_token), 200)
    })

    test('POST /logout-all: revokes and counts token families, with keep_current, too', async (t) => {
      for (const [query, revoked] of [
        ['', 3],
        ['?keep_current=true', 2],
      ] as const) {
        const app = await both(t, 'body')
        const client = await signedIn(app, 'ann')
        const tokens = [tokensOf(await askToken(app)), tokensOf(await askToken(app))]
        assert.equal(answers(await client.post(`/logout-all${query}`), 200).revoked, revoked)
        for (const { refresh_token } of tokens)
          refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      }
    })

    test('the public handle of a token family neither authenticates nor revokes it', async (t) => {
      const app = await both(t, 'body')
      await signedIn(app, 'ann')
      const { refresh_token } = tokensOf(await askToken(app))
      const [, tag = '', key = ''] = refresh_token.split('.')
      const lines = (await app.crudAuth.sessions.list(1)).filter(({ kind }) => kind === 'refresh')
      const handle = lines[0]?.sessionId ?? ''
      for (const token of [
        `${handle}.${tag}.${key}`,
        `${handle.slice(0, 22)}.${tag}.${key}`,
        `${handle.slice(0, 22)}.${tag}.${handle}`,
      ]) {
        refusesOwn(await askRefresh(app, token), 'CRUDAUTH_INVALID_TOKEN')
        refusesOwn(
          await postJson(app, '/logout', { refresh_token: token }),
          'CRUDAUTH_UNAUTHENTICATED',
        )
      }
      const stranger = await signedIn(app, 'bob')
      refusesOwn(await stranger.delete(`/sessions/${handle}`), 'CRUDAUTH_NOT_FOUND')
      answers(await askRefresh(app, refresh_token), 200)
    })

    test('refresh tokens and session cookies are not interchangeable', async (t) => {
      const app = await both(t, 'cookie')
      const client = await signedIn(app, 'ann')
      await client.post('/token', { username: 'ann', password })
      const [family = '', tag = '', key = ''] = (
        client.cookies.get('__Host-crudauth_refresh') ?? ''
      ).split('.')
      const [id = '', slot = ''] = (client.cookies.get('__Host-crudauth_session') ?? '').split('.')
      for (const value of [
        `${key}.${tag}`,
        `${family}.${tag}`,
        `${key}.${slot}`,
        `${id}.${tag}`,
        `${family}.${tag}.${key}`,
      ]) {
        const headers = { cookie: `__Host-crudauth_session=${value}` }
        assert.equal(
          (await app.inject({ method: 'GET', url: '/me', headers })).statusCode,
          401,
          value,
        )
      }
      for (const value of [
        `${family}.${slot}.${key}`,
        `${id.slice(0, 22)}.${slot}.${id}`,
        `${id}.${slot}`,
      ]) {
        const headers = { cookie: `__Host-crudauth_refresh=${value}` }
        refusesOwn(
          await app.inject({ method: 'POST', url: '/refresh', headers }),
          'CRUDAUTH_INVALID_TOKEN',
        )
      }
      answers(await client.get('/me'), 200)
      answers(await client.post('/refresh'), 200)
    })

    test('a user has at most 100 token families', async (t) => {
      const app = await bearerApp(t, backend, {}, { lockout: false })
      await new Client(app).register('ann')
      const user = await app.crudAuth.users.findById(1)
      assert.ok(user)
      for (let n = 0; n < 101; n++) await app.crudAuth.issueTokens(user)
      assert.equal((await app.crudAuth.sessions.list(1)).length, 100)
    })
  })
}

test('issueTokens: returns working tokens with the scopes that POST /token would grant', async (t) => {
  const app = await bearerApp(t, null, {
    defaultScopes: ['read'],
    grantableScopes: ['read', 'write'],
  })
  await new Client(app).register('ann')
  const user = await app.crudAuth.users.findById(1)
  assert.ok(user)
  const issued = await app.crudAuth.issueTokens(user, { scopes: ['write', 'admin'] })
  assert.deepEqual(Object.keys(issued).sort(), [
    'accessToken',
    'expiresInSeconds',
    'refreshToken',
    'scopes',
  ])
  assert.deepEqual(issued.scopes, ['write'])
  assert.equal(issued.expiresInSeconds, 900)
  assert.deepEqual((await app.crudAuth.issueTokens(user)).scopes, ['read'])
  answers(await asBearer(app, issued.accessToken), 200)
  answers(await askRefresh(app, issued.refreshToken ?? ''), 200)
})

test('refreshTokens: a custom route rotates, detects reuse and sets the cookie', async (t) => {
  const reused: unknown[] = []
  const app = await build(t, {
    auth: {
      transports: [bearerTransport({ reuseGraceSeconds: 0 })],
      hooks: { onRefreshReuse: (user) => reused.push((user as { username: string }).username) },
    },
    routes(app) {
      app.post('/by-hand', async (request, reply) => {
        const { token } = request.body as { token: string }
        const issued = await app.crudAuth.refreshTokens(request, token)
        app.crudAuth.setRefreshCookie(reply, issued.refreshToken ?? '')
        return issued
      })
      app.post('/clear', async (_request, reply) => {
        app.crudAuth.clearRefreshCookie(reply)
        return {}
      })
    },
  })
  await new Client(app).register('ann')
  const user = await app.crudAuth.users.findById(1)
  assert.ok(user)
  const { refreshToken = '' } = await app.crudAuth.issueTokens(user)
  const response = await postJson(app, '/by-hand', { token: refreshToken })
  assert.equal(response.statusCode, 200)
  const cookie = '__Host-crudauth_refresh'
  assert.equal(setCookies(response)[cookie]?.value, response.json().refreshToken)
  assert.equal(setCookies(response)[cookie]?.attributes, 'httponly; path=/; samesite=lax; secure')
  answers(await asBearer(app, response.json().accessToken), 200)
  for (const token of [refreshToken, response.json().refreshToken, 'nonsense']) {
    const refused = await postJson(app, '/by-hand', { token })
    assert.equal(refused.json().code, 'CRUDAUTH_INVALID_TOKEN')
    assert.equal(refused.headers['set-cookie'], undefined)
  }
  assert.deepEqual(reused, ['ann'])
  assert.equal(setCookies(await postJson(app, '/clear', {}))[cookie]?.maxAge, 0)
})

test('issueTokens: throws CRUDAUTH_CONFIG without a bearer transport', async (t) => {
  const app = await build(t)
  await new Client(app).register('ann')
  const user = await app.crudAuth.users.findById(1)
  assert.ok(user)
  await assert.rejects(() => app.crudAuth.issueTokens(user), {
    code: 'CRUDAUTH_CONFIG',
    message: /bearerTransport/,
  })
})

test('POST /logout: revoking one token family keeps the others of the user', async (t) => {
  const app = await bearerApp(t, null)
  const one = await signedInBearer(app)
  const two = tokensOf(await askToken(app))
  for (const _ of times(3, () => 0)) tokensOf(await askToken(app))
  answers(await postJson(app, '/logout', { refresh_token: one.refresh_token }), 200)
  answers(await askRefresh(app, two.refresh_token), 200)
})
