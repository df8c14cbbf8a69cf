import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { githubAt, startGithub } from '../helpers/github-standin.js'
import { openUsers, sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  fields,
  landsFailed,
  landsOn,
  linkPlaces,
  oauthCookie,
  type Person,
  refusesCallback,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

const mine: Person = { sub: 'ann-at-acme', email: 'anything@example.com', email_verified: true }

for (const backend of backends) {
  for (const place of linkPlaces) {
    const name = `${backend.name}, ${place.name}`
    const setUp = async (t: TestContext, auth: object = {}) => {
      const accounts = place.accounts()
      return buildOAuth(t, {
        auth: { ...backend.options(), ...auth },
        oauth: { accounts: accounts?.store },
      })
    }

    test(`${name}: link: a signed-in user links a provider, keeps the session and can sign in with it`, async (t) => {
      const told: unknown[] = []
      const hooks = {
        onAfterOAuth: (
          user: { username?: unknown },
          { provider, profile, created, linked }: Record<string, unknown>,
        ) =>
          void told.push([
            user.username,
            provider,
            (profile as { id: string }).id,
            created,
            linked,
          ]),
        onAfterLogin: () => void told.push('login'),
        onProviderTokens: (_user: unknown, { tokens }: { tokens: { accessToken: string } }) =>
          void told.push(tokens.accessToken),
      }
      const { app, acme, rows } = await setUp(t, { hooks })
      const ann = await browserOf(app, 'ann')
      told.length = 0
      const [before] = await rows()
      const session = ann.cookies.get(sessionCookie)
      const begun = await ann.post('/oauth/acme/link', { redirect_to: '/settings?tab=2' })
      const url = new URL(answers(begun, 200).authorize_url)
      assert.deepEqual(Object.keys(begun.json()), ['authorize_url'])
      assert.equal(url.origin, acme.url)
      assert.deepEqual(Object.keys(setCookies(begun)), [oauthCookie])
      const ended = await ann.finish(url.searchParams, mine)
      landsOn(ended, '/settings?tab=2')
      assert.deepEqual(setCookies(ended), {})
      assert.equal(ann.cookies.get(sessionCookie), session)
      assert.deepEqual(told, [acme.issued[0], ['ann', 'acme', 'ann-at-acme', false, true]])
      const [after] = await rows()
      for (const field of [
        'email',
        'hashedPassword',
        'tokenVersion',
        'emailVerified',
        'isSuperuser',
        'username',
      ]) {
        assert.equal(after?.[field], before?.[field], field)
      }
      const listed = answers(await ann.get('/oauth/accounts'), 200)
      assert.equal(listed.length, 1)
      assert.equal(listed[0].provider, 'acme')
      assert.ok(Math.abs(Date.parse(listed[0].linked_at) - Date.now()) < 60_000)
      const browser = new Browser(app)
      landsOn(await browser.signIn({ sub: 'ann-at-acme' }), '/start')
      assert.equal((await browser.me()).user_id, 1)
      assert.equal((await new Browser(app).login('ann')).statusCode, 200)
    })

    test(`${name}: link: a second account of the same provider is 409 and never replaces the first`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const early = await ann.beginLink()
      landsOn(await ann.link(mine), '/start')
      refuses(await ann.post('/oauth/acme/link'), 'CRUDAUTH_DUPLICATE')
      landsFailedLink(await ann.finish(early, { sub: 'second' }))
      const browser = new Browser(app)
      landsOn(await browser.signIn(mine), '/start')
      assert.equal((await browser.me()).user_id, 1)
    })

    test(`${name}: link: linking the same account twice succeeds`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const early = await ann.beginLink()
      landsOn(await ann.link(mine), '/start')
      landsOn(await ann.finish(early, mine), '/start')
      assert.equal((await ann.get('/oauth/accounts')).json().length, 1)
    })

    test(`${name}: link: another user's account gives oauth_linked_elsewhere and changes nothing`, async (t) => {
      const { app, rows } = await setUp(t)
      await new Browser(app).signIn(mine)
      const ann = await browserOf(app, 'ann')
      const before = await rows()
      landsOn(await ann.link(mine), '/start?error=oauth_linked_elsewhere')
      landsOn(
        await ann.link(mine, 'acme', { redirect_to: '/settings?tab=2#links' }),
        '/settings?tab=2&error=oauth_linked_elsewhere#links',
      )
      assert.deepEqual(await rows(), before)
      assert.deepEqual((await ann.get('/oauth/accounts')).json(), [])
      assert.equal((await ann.me()).username, 'ann')
    })

    test(`${name}: link: completes only in the session that began it`, async (t) => {
      const { app, rows } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const query = await ann.beginLink()
      const before = await rows()
      const withCookies = (browser: Browser, from: Browser) => {
        const copy = new Browser(app)
        for (const [name, value] of browser.cookies) copy.cookies.set(name, value)
        copy.cookies.set(oauthCookie, from.cookies.get(oauthCookie) as string)
        return copy
      }
      const bob = await browserOf(app, 'bob')
      const rowsThen = await rows()
      refusesCallback(await bob.finish(query, mine))
      const another = new Browser(app)
      await another.login('ann')
      await another.begin()
      refusesCallback(await another.finish(query, mine))
      assert.deepEqual((await rows()).slice(0, 1), before)
      // The right binding cookie with another session: of another user, a newer one, or none.
      for (const make of [
        async () => withCookies(bob, ann),
        async () => {
          const again = new Browser(app)
          await again.login('ann')
          return withCookies(again, ann)
        },
        async () => {
          const none = new Browser(app)
          none.cookies.set(oauthCookie, ann.cookies.get(oauthCookie) as string)
          return none
        },
      ]) {
        const wrong = await make()
        refusesCallback(await wrong.finish(await ann.beginLink(), mine))
      }
      assert.deepEqual(await rows(), rowsThen)
      landsOn(await ann.finish(query, mine), '/start')
    })

    test(`${name}: link: refused after a password change or a logout`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      const query = await ann.beginLink()
      const change = { current_password: password, new_password: 'another good one' }
      assert.equal((await ann.post('/change-password', change)).statusCode, 200)
      refusesCallback(await ann.finish(query, mine))
      const later = await ann.beginLink()
      await ann.post('/logout')
      refusesCallback(await ann.finish(later, mine))
      await ann.login('ann', 'another good one')
      assert.deepEqual((await ann.get('/oauth/accounts')).json(), [])
    })

    test(`${name}: callback: a sign-in never links, and a link never signs in`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      landsOn(await ann.signIn(ada), '/start')
      assert.equal((await ann.me()).username, 'ada', 'signed in as ada, not linked')
      await ann.login('ann')
      assert.deepEqual((await ann.get('/oauth/accounts')).json(), [])
      const query = await ann.beginLink()
      landsOn(await ann.finish(query, { sub: 'new-subject', email: 'x@example.com' }), '/start')
      assert.equal((await ann.me()).username, 'ann')
    })

    test(`${name}: unlink: 200, then 404; signing in with the provider creates a new account afterwards`, async (t) => {
      const { app } = await setUp(t)
      const ann = await browserOf(app, 'ann')
      refuses(await ann.delete('/oauth/acme'), 'CRUDAUTH_NOT_FOUND')
      refuses(await ann.delete('/oauth/unknown'), 'CRUDAUTH_NOT_FOUND')
      await ann.link(mine)
      await ann.link({ sub: 'at-other' }, 'other')
      assert.equal(answers(await ann.delete('/oauth/acme'), 200).detail, 'Unlinked')
      refuses(await ann.delete('/oauth/acme'), 'CRUDAUTH_NOT_FOUND')
      assert.equal(
        answers(await ann.delete('/oauth/other'), 200).detail,
        'Unlinked',
        'the password remains as a sign-in method',
      )
      assert.deepEqual((await ann.get('/oauth/accounts')).json(), [])
      const browser = new Browser(app)
      landsOn(await browser.signIn(mine), '/start')
      assert.equal((await browser.me()).user_id, 2)
    })

    test(`${name}: unlink: the last sign-in method cannot be removed`, async (t) => {
      const { app, rows } = await setUp(t)
      const browser = new Browser(app)
      await browser.signIn(ada)
      const before = await rows()
      refuses(await browser.delete('/oauth/acme'), 'CRUDAUTH_LAST_SIGN_IN_METHOD')
      assert.deepEqual(await rows(), before)
      await browser.link({ sub: 'at-other' }, 'other')
      assert.equal((await browser.delete('/oauth/acme')).statusCode, 200)
      refuses(await browser.delete('/oauth/other'), 'CRUDAUTH_LAST_SIGN_IN_METHOD')
      assert.equal(
        (await browser.post('/set-password', { new_password: 'another good one' })).statusCode,
        200,
      )
      assert.equal((await browser.delete('/oauth/other')).statusCode, 200)
      assert.equal((await new Browser(app).login('ada', 'another good one')).statusCode, 200)
    })
  }

  test(`${backend.name}: unlink: 404 if the account is deleted at the same time`, async (t) => {
    const { app, store } = await buildOAuth(t, { auth: backend.options() })
    const ann = await browserOf(app, 'ann')
    landsOn(await ann.link(mine), '/start')
    store.compareAndSet = async () => {
      store.findById = async () => null
      return false
    }
    refuses(await ann.delete('/oauth/acme'), 'CRUDAUTH_NOT_FOUND')
  })

  test(`${backend.name}: link, unlink, accounts: need a session, CSRF for changes, freshness for link`, async (t) => {
    const users = memoryUsers({ fields })
    const { app } = await buildOAuth(t, { auth: { ...backend.options(), users, freshSeconds: 60 } })
    const ann = await browserOf(app, 'ann')
    const { access_token } = (await ann.form('/token', { username: 'ann', password })).json()
    const before = await users.findById(1)
    for (const [method, url] of [
      ['POST', '/oauth/acme/link'],
      ['POST', '/oauth/unknown/link'],
      ['DELETE', '/oauth/acme'],
      ['GET', '/oauth/accounts'],
    ] as const) {
      const ask = (headers: Record<string, string> = {}) => app.inject({ method, url, headers })
      refuses(await ask(), 'CRUDAUTH_UNAUTHENTICATED')
      refuses(await ask({ authorization: `Bearer ${access_token}` }), 'CRUDAUTH_UNAUTHENTICATED')
      if (method === 'GET') continue
      const cookie = `${sessionCookie}=${ann.cookies.get(sessionCookie)}`
      refuses(await ask({ cookie }), 'CRUDAUTH_CSRF')
      refuses(await ask({ cookie, 'x-csrf-token': 'wrong' }), 'CRUDAUTH_CSRF')
    }
    refuses(await ann.post('/oauth/unknown/link'), 'CRUDAUTH_NOT_FOUND')
    for (const body of [{}, { redirect_to: '/a', user_id: 2, provider: 'other' }, undefined]) {
      assert.equal((await ann.post('/oauth/acme/link', body)).statusCode, 200)
    }
    const early = await ann.beginLink()
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 })
    refuses(await ann.post('/oauth/acme/link'), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
    assert.deepEqual(await users.findById(1), before)
    assert.equal((await ann.get('/oauth/accounts')).statusCode, 200)
    refuses(await ann.delete('/oauth/acme'), 'CRUDAUTH_NOT_FOUND')
    t.mock.timers.reset()
    landsOn(await ann.finish(early, mine), '/start')
  })
}

/** The link failed, and the session is unchanged. */
function landsFailedLink(response: Parameters<typeof landsOn>[0]): void {
  landsOn(response, '/start?error=oauth_failed')
  assert.deepEqual(setCookies(response), {})
}

test('link: a failure at the provider redirects with oauth_failed and keeps the session', async (t) => {
  const { app } = await buildOAuth(t)
  const ann = await browserOf(app, 'ann')
  const query = await ann.beginLink('acme', { redirect_to: '/settings' })
  landsFailed(await ann.callback({ error: 'access_denied', state: query.get('state') ?? '' }))
  assert.equal((await ann.me()).username, 'ann')
})

test('link: no CSRF token needed with csrf: false; a GitHub id is stored as text', async (t) => {
  const github = await startGithub(t, { id: '0' })
  const { sessionTransport } = await import('../../src/index.js')
  const { app, rows } = await buildOAuth(t, {
    auth: { transports: [sessionTransport({ csrf: false })] },
    providers: { github: githubAt(github) },
  })
  const ann = await browserOf(app, 'ann')
  const begun = await ann.post('/oauth/github/link')
  const { visit } = await import('../helpers/protocol.js')
  const until = 'https://app.example.com/oauth/github/callback'
  const params = await visit(begun.json().authorize_url, { until })
  landsOn(await ann.callback(params, 'github'), '/start')
  assert.equal((await rows())[0]?.githubId, '0')
  assert.equal((await ann.delete('/oauth/github')).statusCode, 200)
})

test('unlink: a credential change in between keeps the link of the new owner', async (t) => {
  const { store } = openUsers({ fields })
  let meanwhile: (() => Promise<unknown>) | null = null
  const users = {
    ...store,
    async compareAndSet(...args: Parameters<typeof store.compareAndSet>) {
      const change = meanwhile
      meanwhile = null
      if (!change) return store.compareAndSet(...args)
      await change()
      return false
    },
  }
  const { app } = await buildOAuth(t, { auth: { users } })
  const browser = await browserOf(app, 'ann')
  landsOn(await browser.link(ada), '/start')
  meanwhile = () => store.update(1, { tokenVersion: 7 })
  await browser.delete('/oauth/acme')
  assert.equal((await store.findById(1))?.acmeId, ada.sub)
})
