import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { type CrudAuthOptions, currentUser, memoryUsers } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { captureLogs } from '../helpers/build.js'
import { sessionCookie } from '../helpers/hostile.js'
import { codeAt, enroll, mfaOptions, verify, wrongCode } from '../helpers/mfa.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  fields,
  landsOn,
  type Person,
} from '../helpers/oauth.js'

const mfaFields = ['totpSecretEncrypted', 'totpConfirmedAt', 'totpLastStep', 'mfaRecoveryCodes']

function routes(app: FastifyInstance) {
  app.get('/principal', { onRequest: currentUser() }, async ({ principal }) => principal.amr)
  app.get('/fresh', { onRequest: app.requireFresh }, async () => ({}))
}

/** An app with providers, and an enrolled user with a verified address. */
async function setUp(
  t: Parameters<typeof buildOAuth>[0],
  {
    mfa = {},
    ...options
  }: Parameters<typeof buildOAuth>[1] & { mfa?: Partial<CrudAuthOptions['mfa'] & object> } = {},
) {
  const users = memoryUsers({ fields: [...fields, ...mfaFields] })
  const built = await buildOAuth(t, {
    routes,
    ...options,
    auth: { users, mfa: { ...mfaOptions, ...mfa }, ...options.auth },
  })
  const owner = await browserOf(built.app, 'ada')
  await users.update(1, { emailVerified: true })
  return { ...built, users, owner, ...(await enroll(owner)) }
}

/** Signs in with the provider, in redirect mode. Returns the challenge in the fragment. */
async function redirected(browser: Browser, landing = '/start', query = '', person: Person = ada) {
  const response = await browser.signIn(person, 'acme', query)
  assert.equal(response.statusCode, 302, response.body)
  const [path, challenge = ''] = String(response.headers.location).split('#mfa_challenge=')
  assert.equal(path, landing)
  assert.match(challenge, /^[\w-]{43}$/)
  assert.equal(response.headers['cache-control'], 'no-store')
  assert.equal(response.headers['referrer-policy'], 'no-referrer')
  assert.ok(!(sessionCookie in setCookies(response)))
  assert.equal(await browser.me(), null)
  return challenge
}

describe('redirect mode', () => {
  test('the callback redirects with a challenge, and the code finishes the sign-in', async (t) => {
    const events: string[] = []
    const { app, secret } = await setUp(t, {
      auth: {
        hooks: {
          onAfterLogin: () => events.push('login'),
          onAfterOAuth: (_user, { linked }) => events.push(`oauth ${linked ? 'linked' : ''}`),
        },
      },
    })
    events.length = 0
    const browser = new Browser(app)
    const challenge = await redirected(browser, '/start', '?redirect_to=/notes?tab=2')
    assert.deepEqual(events, [])
    const verified = await verify(browser, challenge, codeAt(secret))
    const body = answers(verified, 200)
    assert.deepEqual(Object.keys(body).sort(), ['csrf_token', 'id', 'redirect_to', 'username'])
    assert.equal(body.redirect_to, '/notes?tab=2')
    assert.ok(sessionCookie in setCookies(verified))
    assert.equal((await browser.me()).username, 'ada')
    assert.deepEqual((await browser.get('/principal')).json(), ['oauth', 'otp', 'mfa'])
    assert.equal((await browser.post('/logout')).statusCode, 200, 'with the CSRF token')
    assert.deepEqual(events, ['oauth linked', 'login'])
  })

  test('the account is linked after the code, not before', async (t) => {
    const tokens: unknown[] = []
    const hooks = { onProviderTokens: (user: unknown) => void tokens.push(user) }
    const { app, users, secret } = await setUp(t, { auth: { hooks } })
    const browser = new Browser(app)
    const challenge = await redirected(browser)
    assert.equal((await users.findById(1))?.acmeId, null)
    assert.deepEqual(tokens, [])
    refusesOwn(await verify(browser, challenge, wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
    assert.equal((await users.findById(1))?.acmeId, null)
    answers(await verify(browser, challenge, codeAt(secret)), 200)
    assert.equal((await users.findById(1))?.acmeId, ada.sub)
    // The next sign-in finds the link.
    await users.update(1, { totpLastStep: null })
    const again = new Browser(app)
    answers(await verify(again, await redirected(again), codeAt(secret)), 200)
    assert.equal(tokens.length, 1)
  })

  test('a code that comes after the account was linked elsewhere signs nobody in', async (t) => {
    const { app, users, secret } = await setUp(t)
    const browser = new Browser(app)
    const challenge = await redirected(browser)
    await users.create({ email: 'bob@example.com', username: 'bob', acmeId: ada.sub })
    refusesOwn(await verify(browser, challenge, codeAt(secret)), 'CRUDAUTH_OAUTH_FAILED')
    assert.equal(await browser.me(), null)
  })

  test('the fragment of a front end with hash routes stays', async (t) => {
    const { app } = await setUp(t, { oauth: { defaultRedirect: '/app#/sign-in' } })
    const response = await new Browser(app).signIn(ada, 'acme')
    assert.match(String(response.headers.location), /^\/app#\/sign-in\?mfa_challenge=[\w-]{43}$/)
  })

  test('redirect_to is null without one, and a URL of the front end keeps its query', async (t) => {
    const landing = 'https://front.example.com/in?from=provider'
    const { app, recoveryCodes } = await setUp(t, {
      oauth: { defaultRedirect: landing },
      auth: { trustedOrigins: ['https://front.example.com'] },
    })
    const browser = new Browser(app)
    const challenge = await redirected(browser, landing)
    const body = answers(await verify(browser, challenge, recoveryCodes[0] ?? ''), 200)
    assert.equal(body.redirect_to, null)
    assert.deepEqual((await browser.get('/principal')).json(), ['oauth', 'recovery', 'mfa'])
  })

  test('an account that must have a second factor enrolls after its first sign-in', async (t) => {
    const { app } = await setUp(t, {
      mfa: { required: (user) => !('email' in user) || user.email !== 'ada@example.com' },
    })
    const browser = new Browser(app)
    const grace = { sub: 'grace-1', email: 'grace@example.com', preferred_username: 'grace' }
    const challenge = await redirected(browser, '/start', '', { ...ada, ...grace })
    const shown = answers(await browser.post('/mfa/challenge', { challenge }), 200)
    assert.deepEqual(shown.methods, ['totp'])
    const { secret } = shown.setup
    const body = answers(await verify(browser, challenge, codeAt(secret)), 200)
    assert.equal(body.recovery_codes.length, 10)
    assert.equal((await browser.me()).username, 'grace')
  })

  test('freshness counts from the sign-in at the provider, not from the code', async (t) => {
    const { app, secret } = await setUp(t)
    const nowSeconds = Math.floor(Date.now() / 1000)
    for (const [age, status, ms] of [
      [700, 403, 0],
      [5, 200, 30_000],
    ] as const) {
      const browser = new Browser(app)
      const person = { ...ada, auth_time: nowSeconds - age }
      const challenge = await redirected(browser, '/start', '', person)
      const code = codeAt(secret, Date.now() + ms)
      answers(await verify(browser, challenge, code), 200)
      assert.equal((await browser.get('/fresh')).statusCode, status)
    }
  })

  test('the session that started the sign-in ends with the code', async (t) => {
    const { app, owner, secret } = await setUp(t)
    const before = owner.cookies.get(sessionCookie) ?? ''
    const response = await owner.signIn(ada)
    const challenge = String(response.headers.location).split('#mfa_challenge=')[1] ?? ''
    assert.equal((await owner.me()).username, 'ada')
    answers(await verify(owner, challenge, codeAt(secret)), 200)
    const old = new Browser(app)
    old.cookies.set(sessionCookie, before)
    assert.equal(await old.me(), null)
    assert.equal(answers(await owner.get('/sessions'), 200).length, 1)
  })
})

describe('JSON mode', () => {
  test('the callback answers with the challenge, and the code with the user', async (t) => {
    const { app, secret } = await setUp(t, { oauth: { responses: 'json' } })
    const browser = new Browser(app)
    const authorize = await browser.get('/oauth/acme/authorize?redirect_to=/home')
    const query = new URL(authorize.json().url).searchParams
    const response = await browser.finish(query, ada)
    const challenge = answers(response, 200)
    assert.deepEqual(Object.keys(challenge).sort(), ['challenge', 'expires_in', 'mfa_required'])
    assert.ok(!(sessionCookie in setCookies(response)))
    refusesOwn(await browser.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    const verified = await verify(browser, challenge.challenge, codeAt(secret))
    const { csrf_token, ...rest } = answers(verified, 200)
    assert.deepEqual(rest, {
      user: { user_id: 1, username: 'ada', email: 'ada@example.com', is_superuser: false },
      redirect_to: '/home',
    })
    assert.equal(typeof csrf_token, 'string')
    assert.equal((await browser.post('/logout')).statusCode, 200)
  })

  test('a password login in the same app answers as always', async (t) => {
    const { app, secret } = await setUp(t, { oauth: { responses: 'json' } })
    const browser = new Browser(app)
    const { challenge } = answers(await browser.login('ada'), 200)
    const body = answers(await verify(browser, challenge, codeAt(secret)), 200)
    assert.deepEqual(Object.keys(body).sort(), ['csrf_token', 'id', 'username'])
  })
})

test('mfa.oauth: false trusts the provider, and says so at start', async (t) => {
  const { lines, logger } = captureLogs('warn')
  const { app, secret } = await setUp(t, { mfa: { oauth: false }, fastify: { logger } })
  assert.ok(
    lines.some((line) => line.includes('mfa.oauth')),
    'a warning',
  )
  const browser = new Browser(app)
  landsOn(await browser.signIn(ada), '/start')
  assert.equal((await browser.me()).username, 'ada')
  assert.deepEqual((await browser.get('/principal')).json(), ['oauth'])
  // The password still needs the code.
  const client = new Browser(app)
  const { challenge } = answers(await client.login('ada'), 200)
  answers(await verify(client, challenge, codeAt(secret)), 200)
})

test('a link of a provider needs no code: the session that started it is enough', async (t) => {
  const { owner } = await setUp(t)
  landsOn(await owner.link({ ...ada, sub: 'another' }, 'other'), '/start')
})
