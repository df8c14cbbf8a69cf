import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CrudAuthHooks, OAuthTokens } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { githubAt, startGithub } from '../helpers/github-standin.js'
import { csrfCookie, deviceCookie, sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  baseUrl,
  browserOf,
  buildOAuth,
  codeOf,
  landsOn,
  refusesCallback,
} from '../helpers/oauth.js'
import { visit } from '../helpers/protocol.js'
import { refuses } from '../helpers/refuses.js'

/** Hooks that record their calls. */
function notes() {
  const told: [string, ...unknown[]][] = []
  const hooks: CrudAuthHooks = {
    onBeforeRegister: (values) => void told.push(['onBeforeRegister', values]),
    onBeforeLogin: ({ username }) => void told.push(['onBeforeLogin', username]),
    onAfterRegister: ({ username }, { source }) =>
      void told.push(['onAfterRegister', username, source]),
    onAfterLogin: ({ username }, { transport }) =>
      void told.push(['onAfterLogin', username, transport]),
    onAfterOAuth: ({ username }, { provider, profile, created, linked }) =>
      void told.push(['onAfterOAuth', username, provider, profile.id, created, linked]),
    onLoginFailed: ({ identifier, reason }) =>
      void told.push(['onLoginFailed', identifier, reason]),
    onProviderTokens: ({ username }, { provider, tokens }) =>
      void told.push(['onProviderTokens', username, provider, tokens]),
  }
  return { told, hooks, names: () => told.map(([name]) => name) }
}

for (const backend of backends) {
  test(`${backend.name}: callback: a new user is registered and signed in, with all cookies and hooks`, async (t) => {
    const { told, hooks } = notes()
    const { app, acme, rows } = await buildOAuth(t, { auth: { ...backend.options(), hooks } })
    const browser = new Browser(app)
    const response = await browser.signIn(ada, 'acme', '?redirect_to=/home')
    landsOn(response, '/home')
    assert.equal(response.body, '')
    const cookies = setCookies(response)
    assert.deepEqual(Object.keys(cookies).sort(), [csrfCookie, deviceCookie, sessionCookie].sort())
    assert.equal(cookies[sessionCookie]?.attributes, 'httponly; path=/; samesite=lax; secure')
    assert.equal(cookies[csrfCookie]?.attributes, 'path=/; samesite=lax; secure')
    assert.equal(cookies[sessionCookie]?.maxAge, undefined)

    assert.deepEqual(await browser.me(), {
      id: 1,
      user_id: 1,
      username: 'ada',
      email: 'ada@example.com',
      email_verified: true,
      has_password: false,
      is_superuser: false,
      scopes: [],
      via: 'session',
    })
    assert.equal(
      (await browser.post('/logout-all?keep_current=true')).statusCode,
      200,
      'the CSRF token is valid',
    )

    const [row] = await rows()
    assert.equal(row?.acmeId, 'ada-1')
    assert.equal(row?.emailVerified, true)
    assert.equal(row?.oauthProvider, 'acme')
    assert.ok(row?.oauthCreatedAt instanceof Date && row.oauthUpdatedAt instanceof Date)
    assert.match(String(row?.hashedPassword), /^!/)
    assert.equal(row?.otherId, null)

    const [tokens = []] = told.splice(3, 1)
    assert.deepEqual(told, [
      ['onBeforeRegister', { email: 'ada@example.com', username: 'ada' }],
      ['onAfterRegister', 'ada', 'oauth'],
      ['onBeforeLogin', 'ada'],
      ['onAfterLogin', 'ada', 'session'],
      ['onAfterOAuth', 'ada', 'acme', 'ada-1', true, false],
    ])
    assert.deepEqual(tokens.slice(0, 3), ['onProviderTokens', 'ada', 'acme'])
    const { accessToken, refreshToken, idToken } = tokens[3] as OAuthTokens
    assert.deepEqual([accessToken, refreshToken, idToken], acme.issued)
  })

  test(`${backend.name}: callback: a known user signs in again without changes to the row`, async (t) => {
    const { told, hooks, names } = notes()
    const { app, rows } = await buildOAuth(t, { auth: { ...backend.options(), hooks } })
    await new Browser(app).signIn(ada)
    const before = await rows()
    told.length = 0
    landsOn(
      await new Browser(app).signIn({
        ...ada,
        email: 'changed@example.com',
        preferred_username: 'other',
      }),
      '/start',
    )
    assert.deepEqual(names(), ['onBeforeLogin', 'onProviderTokens', 'onAfterLogin', 'onAfterOAuth'])
    assert.deepEqual(told.at(-1), ['onAfterOAuth', 'ada', 'acme', 'ada-1', false, false])
    assert.deepEqual(await rows(), before)
  })

  test(`${backend.name}: callback: ends the previous session of the browser (session fixation)`, async (t) => {
    const { app } = await buildOAuth(t, { auth: backend.options() })
    const ann = await browserOf(app, 'ann')
    const old = ann.cookies.get(sessionCookie) as string
    landsOn(await ann.signIn(ada), '/start')
    const renewed = ann.cookies.get(sessionCookie) as string
    landsOn(await ann.signIn(ada), '/start')
    assert.equal(new Set([old, renewed, ann.cookies.get(sessionCookie)]).size, 3)
    for (const ended of [old, renewed]) {
      const me = await app.inject({ url: '/me', headers: { cookie: `${sessionCookie}=${ended}` } })
      refuses(me, 'CRUDAUTH_UNAUTHENTICATED')
    }
    assert.equal((await ann.me()).username, 'ada')
    assert.equal((await ann.get('/sessions')).json().length, 1)
  })

  test(`${backend.name}: registration: defaults and fields() apply, and fields() gets source and profile`, async (t) => {
    const contexts: Record<string, unknown>[] = []
    const { app, rows } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        registration: {
          defaults: { plan: 'free' },
          async fields({ source, provider, profile, values, request }) {
            contexts.push({
              source,
              provider,
              id: profile?.id,
              name: profile?.raw.name,
              values,
              url: request.url.split('?')[0],
            })
            return source === 'oauth' ? { plan: `gold of ${profile?.name}` } : {}
          },
        },
      },
    })
    landsOn(await new Browser(app).signIn(ada), '/start')
    await browserOf(app, 'ann')
    assert.deepEqual(
      (await rows()).map((row) => row?.plan),
      ['gold of Ada Lovelace', 'free'],
    )
    assert.deepEqual(contexts[0], {
      source: 'oauth',
      provider: 'acme',
      id: 'ada-1',
      name: 'Ada Lovelace',
      values: { email: 'ada@example.com', username: 'ada' },
      url: '/oauth/acme/callback',
    })
    assert.equal(contexts[1]?.source, 'register')
    assert.equal(contexts[1]?.provider, undefined)
  })

  test(`${backend.name}: callback: a throwing onBeforeRegister or onBeforeLogin is access_denied, no tokens`, async (t) => {
    const handed: unknown[] = []
    let refuse: keyof CrudAuthHooks = 'onBeforeRegister'
    let error: Error = new Error('not today: a reason for us alone')
    const throwing = (name: keyof CrudAuthHooks) => () => {
      if (refuse === name) throw error
    }
    const { app, rows } = await buildOAuth(t, {
      auth: {
        ...backend.options(),
        hooks: {
          onBeforeRegister: throwing('onBeforeRegister'),
          onBeforeLogin: throwing('onBeforeLogin'),
          onProviderTokens: (_user, { tokens }) => void handed.push(tokens),
        },
      },
    })
    const refused = await new Browser(app).signIn(ada)
    refusesCallback(refused, 'access_denied')
    assert.deepEqual(await rows(), [])
    error = Object.assign(new Error('come later'), { statusCode: 451 })
    refusesCallback(await new Browser(app).signIn(ada), 'access_denied')
    assert.deepEqual(await rows(), [])

    refuse = 'onBeforeLogin'
    error = new Error('not today')
    const browser = new Browser(app)
    refusesCallback(await browser.signIn(ada), 'access_denied')
    assert.equal(await browser.me(), null)
    assert.deepEqual(handed, [])
    refuse = 'onAfterLogin'
    landsOn(await browser.signIn(ada), '/start')
    assert.equal(handed.length, 1)
  })

  test(`${backend.name}: callback: errors in onAfter* hooks and onProviderTokens are logged, not fatal`, async (t) => {
    const lines: string[] = []
    const fail = () => {
      throw new Error('in a hook')
    }
    const hooks = {
      onAfterRegister: fail,
      onAfterLogin: fail,
      onAfterOAuth: fail,
      onProviderTokens: async () => fail(),
    }
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), hooks },
      fastify: {
        logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } },
      },
    })
    const browser = new Browser(app)
    landsOn(await browser.signIn(ada), '/start')
    assert.equal((await browser.me()).username, 'ada')
    assert.deepEqual(lines.map((line) => JSON.parse(line).hook).sort(), Object.keys(hooks).sort())
  })

  test(`${backend.name}: callback: GitHub users are matched by numeric id, not by login or email`, async (t) => {
    const github = await startGithub(t)
    const { app, rows } = await buildOAuth(t, {
      auth: backend.options(),
      providers: { github: githubAt(github) },
    })
    const browser = new Browser(app)
    const signIn = async () => {
      const begun = await browser.get('/oauth/github/authorize')
      const until = `${baseUrl}/oauth/github/callback`
      return browser.callback(await visit(String(begun.headers.location), { until }), 'github')
    }
    landsOn(await signIn(), '/start')
    assert.equal((await browser.me()).email, 'octocat@example.com')
    const [row] = await rows()
    assert.equal(row?.githubId, '583231')
    assert.equal(row?.username, 'octocat')
    assert.equal(row?.emailVerified, true)

    // Renamed at GitHub, without an email: the account is the same.
    Object.assign(github.account, { login: 'monalisa', emails: [] })
    landsOn(await signIn(), '/start')
    assert.equal((await browser.me()).username, 'octocat')
    // Another GitHub user has the login now: they get a new account.
    Object.assign(github.account, {
      id: '99',
      login: 'octocat',
      emails: [{ email: 'new@example.com', primary: true, verified: true, visibility: null }],
    })
    landsOn(await signIn(), '/start')
    const me = await browser.me()
    assert.equal(me.user_id, 2)
    assert.match(me.username, /^octocat-\d+$/)
  })
}

test('callback: a code, iss or ID token of one provider is refused at another (mix-up)', async (t) => {
  const { app, acme, other, rows } = await buildOAuth(t, {})
  const browser = new Browser(app)
  const atAcme = await browser.begin()
  const atOther = await browser.begin('/oauth/other/authorize')
  // A code of acme with a state of the other provider: the other token endpoint refuses it.
  other.on.token = (response) =>
    void response
      .writeHead(400, { 'content-type': 'application/json' })
      .end('{"error":"invalid_grant"}')
  const code = codeOf({ nonce: atAcme.get('nonce'), ...ada })
  const failed = '/start?error=oauth_failed'
  landsOn(await browser.callback({ code, state: atOther.get('state') ?? '' }, 'other'), failed)
  assert.equal(acme.grants.length, 0)
  // The issuer of the other provider at acme's callback: refused before any code is sent.
  landsOn(
    await browser.callback({ code, state: atAcme.get('state') ?? '', iss: other.url }),
    failed,
  )
  assert.equal(acme.grants.length, 0)
  // An ID token of acme that names the other issuer.
  acme.claims.iss = other.url
  landsOn(await browser.signIn(ada), failed)
  assert.deepEqual(await rows(), [])
  acme.claims.iss = acme.url
  const query = await browser.begin()
  landsOn(
    await browser.callback({
      code: codeOf({ nonce: query.get('nonce'), ...ada }),
      state: query.get('state') ?? '',
      iss: acme.url,
    }),
    '/start',
  )
})

test('registration.fields: a privileged column is a 500 without an account, cookies or the profile', async (t) => {
  for (const field of ['isSuperuser', 'emailVerified', 'acmeId', 'hashedPassword', 'id']) {
    const { app, acme, rows } = await buildOAuth(t, {
      auth: { registration: { fields: () => ({ [field]: 1 }) } },
    })
    const response = await new Browser(app).signIn(ada)
    assert.equal(response.statusCode, 500)
    const secrets = [ada.sub, ada.email, ada.name, ...acme.issued] as string[]
    refuses(response, 'CRUDAUTH_INTERNAL', secrets)
    assert.deepEqual(Object.keys(response.json()).sort(), [
      'code',
      'error',
      'message',
      'statusCode',
    ])
    assert.equal(response.headers['set-cookie'], undefined)
    assert.deepEqual(await rows(), [])
  }
})
