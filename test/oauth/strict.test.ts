import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { bearerTransport, type CrudAuthOptions, sessionTransport } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  landsFailed,
  landsOn,
  linkPlaces,
  oauthCookie,
  type Person,
  refusesCallback,
} from '../helpers/oauth.js'

const mine: Person = { sub: 'ann-at-acme', email: 'anything@example.com', email_verified: true }

/** A browser at the provider's site, which withholds SameSite=Strict cookies; `more` adds some. */
function fromElsewhere(
  app: FastifyInstance,
  browser: Browser,
  more: Record<string, string> = {},
): Browser {
  const withheld = new Browser(app)
  withheld.cookies.set(oauthCookie, browser.cookies.get(oauthCookie) as string)
  for (const [name, value] of Object.entries(more)) withheld.cookies.set(name, value)
  return withheld
}

for (const backend of backends) {
  for (const place of linkPlaces) {
    const name = `${backend.name}, ${place.name}`
    const setUp = (t: TestContext, sameSite: 'strict' | 'lax' = 'strict') =>
      buildOAuth(t, {
        auth: { ...backend.options(), cookies: { sameSite } },
        oauth: { accounts: place.accounts()?.store },
      })

    test(`${name}: strict cookies: a link completes for the session that began it, without its cookie`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const query = await ann.beginLink('acme', { redirect_to: '/settings' })
      const ended = await fromElsewhere(app, ann).finish(query, mine)
      landsOn(ended, '/settings')
      assert.deepEqual(setCookies(ended), {}, 'the binding cookie alone gets no session')
      assert.equal((await ann.get('/oauth/accounts')).json()[0].provider, 'acme')
      refusesCallback(await fromElsewhere(app, ann).finish(query, mine))
      const withCookie = await ann.beginLink('other')
      landsOn(await ann.finish(withCookie, mine, 'other'), '/start')
      assert.equal((await ann.get('/oauth/accounts')).json().length, 2)
    })

    test(`${name}: strict cookies: a link is refused in another session, or after logout or password change`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const bob = await browserOf(app, 'bob')
      const again = new Browser(app)
      await again.login('ann')
      for (const present of [bob, again]) {
        const query = await ann.beginLink()
        const cookie = { [sessionCookie]: present.cookies.get(sessionCookie) as string }
        refusesCallback(await fromElsewhere(app, ann, cookie).finish(query, mine))
        const nothing = new Browser(app)
        refusesCallback(await nothing.finish(await ann.beginLink(), mine))
      }
      const loggedOut = await ann.beginLink()
      const withheld = fromElsewhere(app, ann)
      await ann.post('/logout')
      refusesCallback(await withheld.finish(loggedOut, mine))

      await ann.login('ann')
      const changed = await ann.beginLink()
      const change = { current_password: password, new_password: 'another good one' }
      assert.equal((await ann.post('/change-password', change)).statusCode, 200)
      assert.equal((await ann.me()).username, 'ann', 'the session survives')
      refusesCallback(await fromElsewhere(app, ann).finish(changed, mine))

      const renewed = await ann.beginLink()
      const before = fromElsewhere(app, ann)
      const replaced = new Browser(app)
      replaced.cookies.set(sessionCookie, ann.cookies.get(sessionCookie) as string)
      assert.equal((await replaced.me()).username, 'ann')
      await ann.login('ann', 'another good one')
      refusesCallback(await before.finish(renewed, mine))
      assert.equal(await replaced.me(), null, 'the replaced session has ended')
      assert.deepEqual((await ann.get('/oauth/accounts')).json(), [])
    })

    test(`${name}: lax cookies: a link without the session cookie is refused`, async (t) => {
      const { app } = await setUp(t, 'lax')
      const ann = await browserOf(app, 'ann')
      const query = await ann.beginLink()
      refusesCallback(await fromElsewhere(app, ann).finish(query, mine))
      assert.deepEqual((await ann.get('/oauth/accounts')).json(), [])
      const another = await ann.beginLink()
      landsOn(await ann.finish(another, mine), '/start')
    })
  }

  test(`${backend.name}: strict cookies: a sign-in ends only the session that began it`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), cookies: { sameSite: 'strict' } },
    })
    const elsewhere = await browserOf(app, 'ann')
    const ann = new Browser(app)
    await ann.login('ann')
    const query = await ann.begin()
    const withheld = fromElsewhere(app, ann)
    landsOn(await withheld.finish(query, ada), '/start')
    assert.equal((await withheld.me()).username, 'ada')
    assert.equal(await ann.me(), null, 'the session that began the sign-in has ended')
    assert.equal(
      (await elsewhere.me()).username,
      'ann',
      'another session of the same user survives',
    )
  })

  test(`${backend.name}: strict cookies: a failed or refused sign-in ends no session`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), cookies: { sameSite: 'strict' } },
    })
    const ann = await browserOf(app, 'ann')
    const failing = await ann.begin()
    const denied = { error: 'access_denied', state: failing.get('state') ?? '' }
    landsFailed(await fromElsewhere(app, ann).callback(denied))
    const refused = await ann.begin()
    const unverified: Person = { sub: 'x', email: 'ann@example.com', email_verified: false }
    refusesCallback(await fromElsewhere(app, ann).finish(refused, unverified), 'email_unverified')
    assert.equal((await ann.me()).username, 'ann')
  })

  test(`${backend.name}: strict cookies: a sign-in succeeds after the session that began it has logged out`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: { ...backend.options(), cookies: { sameSite: 'strict' } },
    })
    const ann = await browserOf(app, 'ann')
    const query = await ann.begin()
    const withheld = fromElsewhere(app, ann)
    await ann.post('/logout')
    landsOn(await withheld.finish(query, ada), '/start')
    assert.equal((await withheld.me()).username, 'ada')
    assert.equal((await withheld.get('/sessions')).json().length, 1)
  })
}

const session = (cookies: object) => [
  sessionTransport({ managementRoutes: true, cookies }),
  bearerTransport({ refresh: 'body' }),
]
const hostWide = 'httponly; path=/; samesite=lax; secure'

const cases: {
  what: string
  auth: Partial<CrudAuthOptions>
  name?: string
  attributes?: string
}[] = [
  { what: 'SameSite=Strict', auth: { cookies: { sameSite: 'strict' } } },
  { what: 'with a Domain', auth: { cookies: { domain: 'example.com' } } },
  { what: 'with a Path', auth: { cookies: { path: '/app' } } },
  {
    what: 'all of these, set by the transport',
    auth: { transports: session({ sameSite: 'strict', domain: 'example.com', path: '/app' }) },
  },
  {
    what: 'with another name',
    auth: { cookies: { names: { oauth: 'way' }, path: '/app' } },
    name: '__Host-way',
  },
  {
    what: 'without Secure',
    auth: { cookies: { secure: false } },
    name: 'crudauth_oauth',
    attributes: 'httponly; path=/; samesite=lax',
  },
]

for (const { what, auth, name = oauthCookie, attributes = hostWide } of cases) {
  test(`binding cookie: HttpOnly, SameSite=Lax, Path=/, no Domain (other cookies: ${what})`, async (t) => {
    const { app } = await buildOAuth(t, { auth })
    const browser = new Browser(app)
    const begun = await browser.get('/oauth/acme/authorize')
    const set = setCookies(begun)
    assert.deepEqual(Object.keys(set), [name])
    assert.equal(set[name]?.attributes, attributes)
    const query = new URL(String(begun.headers.location)).searchParams
    landsOn(await browser.finish(query, ada), '/start')
    assert.equal((await browser.me()).username, 'ada')
  })
}
