import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startOidcProvider } from '../../scripts/services/oidc-provider.js'
import { oidc } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { Mailbox } from '../helpers/mailbox.js'
import {
  Browser,
  baseUrl,
  buildOAuth,
  landsFailed,
  landsOn,
  refusesCallback,
} from '../helpers/oauth.js'
import { visit } from '../helpers/protocol.js'

const clientId = 'app'
const clientSecret = 'a secret of the client, long enough'
const until = `${baseUrl}/auth/oauth/other/callback`

/** An app under a prefix, with a real OpenID provider. */
async function setUp(t: TestContext, auth: object = {}) {
  const server = await startOidcProvider({
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [until] }],
  })
  t.after(() => server.stop())
  const real = oidc({ issuer: server.url, clientId, clientSecret, allowInsecure: true })
  const built = await buildOAuth(t, {
    auth: { prefix: '/auth', ...auth },
    providers: { other: real },
  })
  return { ...built, server }
}

/** Signs in at the provider and returns to the callback. */
async function travel(
  browser: Browser,
  options: { login?: string; consent?: 'allow' | 'deny' } = {},
  query = '',
) {
  const begun = await browser.get(`/oauth/other/authorize${query}`)
  return browser.callback(
    await visit(String(begun.headers.location), { until, ...options }),
    'other',
  )
}

for (const backend of backends) {
  test(`${backend.name}: real OpenID provider: users sign up and sign in; denied consent is oauth_failed`, async (t) => {
    const mailbox = new Mailbox()
    const { app, rows, server } = await setUp(t, { ...backend.options(), email: mailbox.options() })
    assert.deepEqual(server.requests, [])
    const ada = new Browser(app, '/auth')
    landsOn(await travel(ada, {}, '?redirect_to=/home'), '/home')
    assert.equal((await ada.me()).email, 'ada@example.com')
    landsOn(await travel(ada), '/start')
    assert.equal((await ada.me()).user_id, 1)

    const bob = new Browser(app, '/auth')
    landsOn(await travel(bob, { login: 'bob' }), '/start')
    const token = await mailbox.token('bob@example.com', 'verify_email')
    assert.equal((await bob.post('/email/verify-confirm', { token })).statusCode, 200)
    assert.deepEqual(
      (await rows()).map((row) => [row?.username, row?.emailVerified, row?.otherId]),
      [
        ['ada', true, 'ada'],
        ['bob', true, 'bob'],
      ],
    )
    landsFailed(await travel(new Browser(app, '/auth'), { consent: 'deny' }))
    assert.equal((await rows()).length, 2)
  })

  test(`${backend.name}: real OpenID provider: codes are single-use and browser-bound; rotated keys work`, async (t) => {
    const { app, rows, server } = await setUp(t, backend.options())
    const browser = new Browser(app, '/auth')
    const stranger = new Browser(app, '/auth')
    await stranger.get('/oauth/other/authorize')
    const begun = await browser.get('/oauth/other/authorize')
    const params = await visit(String(begun.headers.location), { until })
    refusesCallback(await stranger.callback(params, 'other'))
    landsOn(await browser.callback(params, 'other'), '/start')
    const again = await browser.get('/oauth/other/authorize')
    const state = new URL(String(again.headers.location)).searchParams.get('state') ?? ''
    landsFailed(await browser.callback({ ...Object.fromEntries(params), state }, 'other'))

    server.rotateKeys()
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 })
    landsOn(await travel(browser), '/start')
    const last = await browser.get('/oauth/other/authorize')
    const callback = await visit(String(last.headers.location), { until })
    await server.stop()
    landsFailed(await browser.callback(callback, 'other'))
    assert.equal((await rows()).length, 1)
    assert.equal(
      (await browser.me()).username,
      'ada',
      'the session does not depend on the provider',
    )
  })
}

test('real OpenID provider: refuses a redirect_uri that is not registered', async (t) => {
  const { app } = await setUp(t, { prefix: '/elsewhere' })
  const begun = await new Browser(app, '/elsewhere').get('/oauth/other/authorize')
  const refused = await fetch(String(begun.headers.location), { redirect: 'manual' })
  assert.equal(refused.status, 400)
})
