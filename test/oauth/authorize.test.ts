import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { memoryUsers, oauthRoutes, sessionTransport } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { clientId } from '../helpers/bad-provider.js'
import { cheap, secret } from '../helpers/build.js'
import { githubAt, startGithub } from '../helpers/github-standin.js'
import { sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  baseUrl,
  buildOAuth,
  fields,
  landsOn,
  oauthCookie,
  startAcme,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

for (const backend of backends) {
  test(`${backend.name}: authorize: redirects to the provider with state, nonce and an S256 challenge`, async (t) => {
    const { app, acme } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    const response = await browser.get('/oauth/acme/authorize')
    assert.equal(response.statusCode, 302)
    assert.equal(response.body, '')
    assert.equal(response.headers['cache-control'], 'no-store')
    const url = new URL(String(response.headers.location))
    assert.equal(url.origin + url.pathname, `${acme.url}/authorize`)
    const {
      state,
      nonce,
      code_challenge: challenge,
      ...rest
    } = Object.fromEntries(url.searchParams)
    assert.deepEqual(rest, {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: `${baseUrl}/oauth/acme/callback`,
      code_challenge_method: 'S256',
      scope: 'openid email profile',
    })
    for (const random of [state, nonce, challenge]) assert.match(random ?? '', /^[\w-]{43}$/)
    assert.equal(new Set([state, nonce, challenge]).size, 3)

    const response2 = await browser.finish(url.searchParams, ada)
    landsOn(response2, '/start')
    const [grant] = acme.grants
    const verifier = grant?.get('code_verifier') ?? ''
    assert.equal(createHash('sha256').update(verifier).digest('base64url'), challenge)
    assert.equal(grant?.get('redirect_uri'), `${baseUrl}/oauth/acme/callback`)
  })

  test(`${backend.name}: authorize: every sign-in has its own secrets; a browser can run several at once`, async (t) => {
    const { app } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    const first = await browser.begin()
    const second = await browser.begin('/oauth/other/authorize')
    const third = await browser.begin()
    for (const name of ['state', 'nonce', 'code_challenge']) {
      assert.equal(new Set([first, second, third].map((query) => query.get(name))).size, 3, name)
    }
    landsOn(await browser.finish(third, ada), '/start')
    landsOn(await browser.finish(second, ada, 'other'), '/start')
    landsOn(await browser.finish(first, ada), '/start')
  })

  test(`${backend.name}: authorize: remember_me makes the session cookie persistent`, async (t) => {
    const { app } = await buildOAuth(t, { auth: backend.options() })
    for (const [query, maxAge] of [
      ['', undefined],
      ['?remember_me=', undefined],
      ['?remember_me=0', undefined],
      ['?remember_me=1', 30 * 86_400],
      ['?remember_me=true&redirect_to=/home', 30 * 86_400],
    ] as const) {
      const response = await new Browser(app).signIn(ada, 'acme', query)
      assert.equal(setCookies(response)[sessionCookie]?.maxAge, maxAge, query)
    }
    for (const query of [
      '?remember_me=maybe',
      '?remember_me=1&remember_me=1',
      '?redirect_to=/a&redirect_to=/b',
    ]) {
      refuses(await new Browser(app).get(`/oauth/acme/authorize${query}`), 'FST_ERR_VALIDATION')
    }
  })
}

for (const backend of backends) {
  test(`${backend.name}: authorize: rate limited per IP address; sign-ins in progress can finish`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        rateLimits: { oauth_authorize: { max: 2, windowSeconds: 3600 } },
      },
    })
    const browser = new Browser(app)
    const first = await browser.begin()
    const second = await browser.begin('/oauth/other/authorize')
    const refused = await browser.get('/oauth/acme/authorize')
    refuses(refused, 'CRUDAUTH_RATE_LIMITED')
    assert.equal(refused.headers['set-cookie'], undefined)
    assert.equal(refused.headers.location, undefined)
    landsOn(await browser.finish(first, ada), '/start')
    landsOn(await browser.finish(second, ada, 'other'), '/start')
    const elsewhere = await app.inject({
      url: '/oauth/acme/authorize',
      remoteAddress: '203.0.113.9',
    })
    assert.equal(elsewhere.statusCode, 302)
  })
}

test('binding cookie: HttpOnly, Secure, SameSite=Lax, Path=/, valid for ten minutes', async (t) => {
  const { app } = await buildOAuth(t)
  const browser = new Browser(app)
  const { [oauthCookie]: cookie, ...rest } = setCookies(await browser.get('/oauth/acme/authorize'))
  assert.deepEqual(rest, {})
  assert.equal(cookie?.attributes, 'httponly; path=/; samesite=lax; secure')
  assert.equal(cookie?.maxAge, 600)
  assert.match(cookie?.value ?? '', /^[\w-]{43}$/)
  const again = setCookies(await browser.get('/oauth/other/authorize'))[oauthCookie]
  assert.equal(again?.value, cookie?.value, 'kept, so that the first attempt stays valid')
  assert.equal(again?.maxAge, 600)
})

test('binding cookie: a value that the plugin did not generate is replaced', async (t) => {
  const { app } = await buildOAuth(t)
  for (const value of [
    'x',
    'a'.repeat(42),
    'a'.repeat(44),
    '',
    '"quoted"',
    `${'a'.repeat(43)}; ${oauthCookie}=${'b'.repeat(43)}`,
  ]) {
    const response = await app.inject({
      url: '/oauth/acme/authorize',
      headers: { cookie: `${oauthCookie}=${value}` },
    })
    const made = setCookies(response)[oauthCookie]?.value ?? ''
    assert.match(made, /^[\w-]{43}$/)
    assert.ok(!value.includes(made))
  }
})

test('binding cookie: takes the configured name, but stays SameSite=Lax without a Domain', async (t) => {
  const cookies = { sameSite: 'strict', domain: 'example.com', names: { oauth: 'way' } } as const
  const { app } = await buildOAuth(t, { auth: { cookies } })
  const response = await app.inject('/oauth/acme/authorize')
  assert.equal(
    setCookies(response)['__Host-way']?.attributes,
    'httponly; path=/; samesite=lax; secure',
  )
})

test('authorize: GitHub gets state and PKCE, but no nonce', async (t) => {
  const github = await startGithub(t)
  const { app } = await buildOAuth(t, { providers: { github: githubAt(github) } })
  const query = await new Browser(app).begin('/oauth/github/authorize')
  assert.equal(query.get('nonce'), null)
  assert.equal(query.get('code_challenge_method'), 'S256')
  assert.match(query.get('state') ?? '', /^[\w-]{43}$/)
})

test('authorize and callback: a provider that is not configured is 404 without a cookie', async (t) => {
  const { app } = await buildOAuth(t)
  for (const name of [
    'google',
    'ACME',
    'acme%20',
    'constructor',
    '__proto__',
    'toString',
    'accounts',
    '%00',
    'a'.repeat(100),
  ]) {
    for (const path of [`/oauth/${name}/authorize`, `/oauth/${name}/callback?code=a&state=b`]) {
      const response = await app.inject(path)
      assert.equal(response.json().code, 'CRUDAUTH_NOT_FOUND', path)
      assert.equal(response.statusCode, 404)
      assert.equal(response.headers['set-cookie'], undefined)
    }
  }
})

test('redirect_uri: does not depend on Host, X-Forwarded-Host or Origin', async (t) => {
  const { app } = await buildOAuth(t, { fastify: { trustProxy: true } })
  const headers = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'http',
    forwarded: 'host=evil.example',
    origin: 'https://evil.example',
    referer: 'https://evil.example/',
  }
  const browser = new Browser(app, '', { headers })
  const begun = await browser.get('/oauth/acme/authorize?redirect_to=/home')
  assert.ok(!JSON.stringify(begun.headers).includes('evil'))
  const query = new URL(String(begun.headers.location)).searchParams
  assert.equal(query.get('redirect_uri'), `${baseUrl}/oauth/acme/callback`)
  const ended = await browser.finish(query, ada)
  landsOn(ended, '/home')
  assert.ok(!JSON.stringify(ended.headers).includes('evil'))
})

test('redirect_uri: includes the path of the base URL and the prefix', async (t) => {
  for (const [base, expected] of [
    [baseUrl, `${baseUrl}/auth/oauth/acme/callback`],
    [`${baseUrl}/`, `${baseUrl}/auth/oauth/acme/callback`],
    [`${baseUrl}/sub/path/`, `${baseUrl}/sub/path/auth/oauth/acme/callback`],
    ['https://APP.example.com:443', `${baseUrl}/auth/oauth/acme/callback`],
    ['http://localhost:3000', 'http://localhost:3000/auth/oauth/acme/callback'],
  ] as const) {
    const { app, acme } = await buildOAuth(t, {
      auth: { prefix: '/auth' },
      oauth: { baseUrl: base },
    })
    const browser = new Browser(app, '/auth')
    const query = await browser.begin()
    assert.equal(query.get('redirect_uri'), expected)
    landsOn(await browser.finish(query, ada), '/start')
    assert.equal(
      acme.grants[0]?.get('redirect_uri'),
      expected,
      'the token endpoint is told the same',
    )
    assert.equal((await browser.me()).username, 'ada')
  }
})

test('redirect_uri: follows oauthRoutes registered under another prefix', async (t) => {
  const acme = await startAcme(t)
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, {
    secret,
    prefix: '/auth',
    routes: ['account'],
    users: memoryUsers({ fields }),
    transports: [sessionTransport()],
    passwords: { cost: cheap },
    oauth: { baseUrl, providers: { acme: acme.provider() } },
  })
  await app.register(async (child) => void (await child.register(oauthRoutes, { prefix: '/b' })), {
    prefix: '/a',
  })
  await app.ready()
  assert.equal((await app.inject('/auth/oauth/acme/authorize')).statusCode, 404)
  const browser = new Browser(app, '/a/b')
  const query = await browser.begin()
  assert.equal(query.get('redirect_uri'), `${baseUrl}/a/b/oauth/acme/callback`)
  landsOn(await browser.finish(query, ada), '/')
  assert.equal(acme.grants[0]?.get('redirect_uri'), `${baseUrl}/a/b/oauth/acme/callback`)
  const { cookies } = browser
  const me = await app.inject({ url: '/auth/me', cookies: Object.fromEntries(cookies) })
  assert.equal(me.json().username, 'ada')
})
