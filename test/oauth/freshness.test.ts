import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { github } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  landsFailed,
  landsOn,
  type Person,
  startAcme,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

const nowSeconds = () => Math.floor(Date.now() / 1000)
/** Setting the first password of an account requires a fresh session. */
const setPassword = (browser: Browser) =>
  browser.post('/set-password', { new_password: 'a long enough secret' })
const isStale = async (browser: Browser) =>
  refuses(await setPassword(browser), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
const isFresh = async (browser: Browser) =>
  assert.equal((await setPassword(browser)).statusCode, 200)

for (const backend of backends) {
  /** A browser whose session is no longer fresh. */
  const setUp = async (t: TestContext, person: Person = ada) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const made = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(made.app)
    landsOn(await browser.signIn(person), '/start')
    t.mock.timers.tick(601_000)
    await isStale(browser)
    return { ...made, browser }
  }

  test(`${backend.name}: freshness: a silent sign-in does not renew an old session; a new browser is fresh`, async (t) => {
    const { app, browser } = await setUp(t)
    landsOn(await browser.signIn(ada), '/start')
    await isStale(browser)
    // Nor does a second one, from the session of the first silent sign-in.
    landsOn(await browser.signIn(ada), '/start')
    await isStale(browser)
    const other = new Browser(app)
    landsOn(await other.signIn(ada), '/start')
    await isFresh(other)
  })

  test(`${backend.name}: freshness: an old session sends max_age=0, and auth_time decides`, async (t) => {
    const { app, browser } = await setUp(t)
    assert.equal((await new Browser(app).begin()).get('max_age'), null)
    const query = await browser.begin()
    assert.equal(query.get('max_age'), '0')
    landsOn(await browser.finish(query, { ...ada, auth_time: nowSeconds() - 700 }), '/start')
    await isStale(browser)
    landsOn(await browser.signIn({ ...ada, auth_time: nowSeconds() - 5 }), '/start')
    await isFresh(browser)
  })

  test(`${backend.name}: auth_time: 0 is a time long ago, not a missing value`, async (t) => {
    const { app } = await buildOAuth(t, { auth: backend.options() })
    const browser = new Browser(app)
    landsOn(await browser.signIn({ ...ada, auth_time: 0 }), '/start')
    await isStale(browser)
  })

  test(`${backend.name}: max_age: not sent to a provider without ID tokens`, async (t) => {
    const { app } = await buildOAuth(t, {
      auth: backend.options(),
      providers: { github: github({ clientId: 'a', clientSecret: 's' }) },
    })
    const browser = await browserOf(app, 'ann')
    const query = await browser.begin('/oauth/github/authorize')
    assert.equal(query.get('max_age'), null)
    assert.equal((await browser.begin()).get('max_age'), '0')
  })

  test(`${backend.name}: auth_time: decides for a signed-out browser too, and is capped at now`, async (t) => {
    const { app } = await setUp(t)
    const old = new Browser(app)
    landsOn(await old.signIn({ ...ada, auth_time: nowSeconds() - 700 }), '/start')
    await isStale(old)
    const ahead = new Browser(app)
    landsOn(await ahead.signIn({ ...ada, auth_time: nowSeconds() + 3600 }), '/start')
    t.mock.timers.tick(601_000)
    await isStale(ahead)
  })
}

/** A provider with these authorization parameters. */
async function withParams(t: TestContext, authorizationParams: Record<string, string>) {
  const acme = await startAcme(t)
  return buildOAuth(t, { providers: { acme: acme.provider({ authorizationParams }) } })
}

test('max_age: a configured value requires a recent auth_time in the ID token', async (t) => {
  const { app } = await withParams(t, { max_age: '3600' })
  const browser = new Browser(app)
  assert.equal((await browser.begin()).get('max_age'), '3600')
  landsFailed(await new Browser(app).signIn(ada))
  landsFailed(await new Browser(app).signIn({ ...ada, auth_time: nowSeconds() - 4000 }))
  landsFailed(await new Browser(app).signIn({ ...ada, auth_time: String(nowSeconds()) }))
  landsOn(await new Browser(app).signIn({ ...ada, auth_time: nowSeconds() - 3000 }), '/start')
})

test('prompt: a configured value replaces max_age=0', async (t) => {
  const { app } = await withParams(t, { prompt: 'login' })
  const query = await (await browserOf(app, 'ann')).begin()
  assert.deepEqual([query.get('prompt'), query.get('max_age')], ['login', null])
})

test('link: does not send max_age', async (t) => {
  const { app } = await buildOAuth(t)
  const query = await (await browserOf(app, 'ann')).beginLink()
  assert.equal(query.get('max_age'), null)
})

test('acr_values: the acr claim must be one of the configured values', async (t) => {
  const { app } = await withParams(t, { acr_values: 'gold silver' })
  for (const acr of [undefined, null, '', 'bronze', 'gold silver', ['gold'], 1])
    landsFailed(await new Browser(app).signIn({ ...ada, acr }))
  for (const acr of ['gold', 'silver'])
    landsOn(await new Browser(app).signIn({ ...ada, acr }), '/start')
})

test('hd: the hd claim must match the configured domain; * means any', async (t) => {
  const { app } = await withParams(t, { hd: 'corp.example' })
  for (const hd of [undefined, '', 'evil.example', ['corp.example']])
    landsFailed(await new Browser(app).signIn({ ...ada, hd }))
  landsOn(await new Browser(app).signIn({ ...ada, hd: 'corp.example' }), '/start')
  const any = await withParams(t, { hd: '*' })
  landsFailed(await new Browser(any.app).signIn(ada))
  landsOn(await new Browser(any.app).signIn({ ...ada, hd: 'any.example' }), '/start')
})

test('authorizationParams: values that cannot be verified are refused at start-up', async (t) => {
  for (const params of [{ max_age: '60' }, { acr_values: 'gold' }, { claims: '{}' }]) {
    const acme = github({ clientId: 'a', clientSecret: 's', authorizationParams: params })
    await assert.rejects(buildOAuth(t, { providers: { acme } }), /authorizationParams/)
  }
  for (const max_age of ['', 'soon', '-1', '1.5'])
    await assert.rejects(withParams(t, { max_age }), /max_age/)
})
