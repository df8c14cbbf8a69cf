import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  codeOf,
  oauthCookie,
  type Person,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** A front end that runs the flow itself. */
class FrontEnd extends Browser {
  override async begin(path = '/oauth/acme/authorize'): Promise<URLSearchParams> {
    const response = await this.get(path)
    assert.equal(response.statusCode, 200, response.body)
    assert.deepEqual(Object.keys(response.json()), ['url'])
    return new URL(response.json().url).searchParams
  }

  /** A whole sign-in. Returns the JSON of the callback. */
  async signedIn(person: Person, query = '') {
    const response = await this.signIn(person, 'acme', query)
    assert.equal(response.statusCode, 200, response.body)
    return response.json()
  }
}

/** Asserts a refusal without a session. */
function refusesSignIn(response: LightMyRequestResponse, code: string): void {
  refuses(response, code)
  assert.ok(!(sessionCookie in setCookies(response)))
  assert.equal(response.headers.location, undefined)
}

for (const backend of backends) {
  const setUp = async (t: Parameters<typeof buildOAuth>[0]) =>
    buildOAuth(t, { auth: backend.options(), oauth: { responses: 'json' } })

  test(`${backend.name}: JSON mode: authorize returns the URL, the callback returns the user`, async (t) => {
    const { app } = await setUp(t)
    const browser = new FrontEnd(app)
    const authorize = await browser.get('/oauth/acme/authorize?redirect_to=/home')
    assert.ok(oauthCookie in setCookies(authorize))
    const query = new URL(authorize.json().url).searchParams
    const response = await browser.finish(query, ada)
    assert.equal(response.statusCode, 200, response.body)
    assert.equal(response.headers['cache-control'], 'no-store')
    const { csrf_token, ...rest } = response.json()
    assert.deepEqual(rest, {
      user: { user_id: 1, username: 'ada', email: 'ada@example.com', is_superuser: false },
      redirect_to: '/home',
    })
    browser.csrf = csrf_token
    assert.equal((await browser.me()).username, 'ada')
    assert.equal((await browser.post('/logout')).statusCode, 200)
  })

  test(`${backend.name}: JSON mode: redirect_to is null when it is missing, empty or foreign`, async (t) => {
    const { app } = await setUp(t)
    for (const query of ['', '?redirect_to=', '?redirect_to=https://evil.example/'])
      assert.equal((await new FrontEnd(app).signedIn(ada, query)).redirect_to, null)
  })

  test(`${backend.name}: JSON mode: a link returns its provider, or CRUDAUTH_OAUTH_LINKED_ELSEWHERE`, async (t) => {
    const { app } = await setUp(t)
    const ann = await browserOf(app, 'ann')
    const linked = await ann.link({ sub: 'mine' }, 'acme', { redirect_to: '/settings' })
    assert.equal(linked.statusCode, 200)
    assert.deepEqual(linked.json(), { provider: 'acme', redirect_to: '/settings' })
    const bob = await browserOf(app, 'bob')
    refusesSignIn(await bob.link({ sub: 'mine' }), 'CRUDAUTH_OAUTH_LINKED_ELSEWHERE')
  })

  test(`${backend.name}: JSON mode: every callback refusal is 400 with its own code`, async (t) => {
    const { app, acme, store } = await setUp(t)
    const ann = await browserOf(app, 'ann')
    const browser = new FrontEnd(app)
    refusesSignIn(await browser.callback({ code: codeOf(ada) }), 'CRUDAUTH_OAUTH_INVALID_STATE')
    const declined = await browser.begin()
    refusesSignIn(
      await browser.callback({ error: 'access_denied', state: declined.get('state') ?? '' }),
      'CRUDAUTH_OAUTH_FAILED',
    )
    const own = { sub: 'x', email: 'ann@example.com' }
    refusesSignIn(
      await browser.signIn({ ...own, email_verified: false }),
      'CRUDAUTH_OAUTH_EMAIL_UNVERIFIED',
    )
    refusesSignIn(await browser.signIn({ sub: 'x' }), 'CRUDAUTH_OAUTH_EMAIL_MISSING')
    await store.update(1, { emailVerified: true })
    assert.equal((await ann.link({ sub: 'mine' })).statusCode, 200)
    refusesSignIn(
      await browser.signIn({ ...own, email_verified: true }),
      'CRUDAUTH_OAUTH_PROVIDER_ALREADY_LINKED',
    )
    await store.update(1, { isActive: false })
    refusesSignIn(await browser.signIn({ sub: 'mine' }), 'CRUDAUTH_OAUTH_ACCOUNT_INACTIVE')
    acme.on.metadata = undefined as never
    assert.equal(await browser.me(), null)
  })
}

test('JSON mode: authorize is 400 when the provider is unreachable', async (t) => {
  const { app } = await buildOAuth(t, {
    oauth: { responses: 'json' },
    providers: {
      github: {
        protocol: 'oidc',
        issuer: 'https://127.0.0.1:1',
        clientId: 'app',
        clientAuthentication: { method: 'none' },
        scopes: ['openid'],
        allowInsecure: true,
        mapProfile: () => ({ id: 'x' }),
      },
    },
  })
  refuses(await new Browser(app).get('/oauth/github/authorize'), 'CRUDAUTH_OAUTH_FAILED')
})

test('JSON mode: a refusing onBeforeOAuth hook is 400 CRUDAUTH_OAUTH_ACCESS_DENIED', async (t) => {
  const { app } = await buildOAuth(t, {
    oauth: { responses: 'json' },
    auth: {
      hooks: {
        onBeforeOAuth(profile) {
          if (profile.raw.hd !== 'corp.example') throw new Error('another workspace')
        },
      },
    },
  })
  refusesSignIn(await new FrontEnd(app).signIn(ada), 'CRUDAUTH_OAUTH_ACCESS_DENIED')
  assert.equal((await new FrontEnd(app).signedIn({ ...ada, hd: 'corp.example' })).user.user_id, 1)
})
