import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import cors from '@fastify/cors'
import Fastify from 'fastify'
import type { BrowserContext, Page } from 'playwright-core'
import crudAuth, {
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { bundleClient } from '../client/bundle.js'
import { cheap, limitsOff, password, secret } from '../helpers/build.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const html = '<!doctype html><meta charset="utf-8"><title>App</title>'
const credentials = JSON.stringify({ username: 'ada', password })

/** An app with the client at `/client.js` and an empty page everywhere else. */
async function serve(t: TestContext, auth: Partial<CrudAuthOptions>, frontEnd?: string) {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  if (frontEnd)
    await app.register(cors, {
      origin: [frontEnd],
      credentials: true,
      methods: ['GET', 'POST', 'DELETE'],
      exposedHeaders: ['retry-after'],
    })
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    rateLimits: limitsOff,
    ...auth,
  })
  const requests: string[] = []
  app.addHook('onRequest', async ({ method, url }) => {
    requests.push(`${method} ${url}`)
  })
  const code = await bundleClient()
  app.get('/client.js', async (_request, reply) => reply.type('text/javascript').send(code))
  app.get('/*', async (_request, reply) => reply.type('text/html').send(html))
  app.get('/notes', { onRequest: app.currentUser() }, async () => ['a note'])
  app.post('/notes', { onRequest: app.currentUser() }, async () => ({}))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://localhost:${(app.server.address() as AddressInfo).port}`
  await app.inject({
    method: 'POST',
    url: '/auth/register',
    payload: { email: 'ada@example.com', username: 'ada', password },
  })
  return { app, url, requests, count: (line: string) => requests.filter((r) => r === line).length }
}

/** Opens a page with a client as `auth`, which records its events. */
async function openTab(context: BrowserContext, url: string, options: object = {}): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  await createClient(page, options)
  return page
}

const createClient = (page: Page, options: object = {}) =>
  page.evaluate(`import('/client.js').then(({ createAuthClient }) => {
    window.events = []
    window.auth = createAuthClient({
      baseUrl: '/auth',
      onSignedOut: () => events.push('onSignedOut'),
      ...${JSON.stringify(options)},
    })
    for (const name of ['change', 'signedout']) auth.addEventListener(name, () => events.push(name))
  })`)

const signIn = (page: Page) => page.evaluate(`auth.login(${credentials})`)
const nameOf = (page: Page) => page.evaluate('auth.me().then((me) => me && me.username)')
const eventsOf = (page: Page) => page.evaluate('events.splice(0)')
const post = (page: Page) =>
  page.evaluate(`auth.fetch('/notes', { method: 'POST' }).then(({ status }) => status)`)

for (const refresh of ['cookie', 'body'] as const) {
  describe(`client in several tabs, refresh token in the ${refresh}`, { skip }, () => {
    async function open(t: TestContext) {
      const served = await serve(t, {
        transports: [bearerTransport({ refresh, accessSeconds: 4 })],
      })
      const browser = await openBrowser(t, String(chromium))
      const context = await browser.newContext()
      const tabs: Page[] = []
      for (let n = 0; n < 3; n++)
        tabs.push(await openTab(context, served.url, { transport: 'bearer' }))
      return { ...served, context, tabs: tabs as [Page, Page, Page] }
    }

    test('a sign-in and a sign-out reach the other tabs', async (t) => {
      const { tabs, url, context } = await open(t)
      const [first, second] = tabs
      for (const tab of tabs) assert.equal(await nameOf(tab), null)
      await signIn(first)
      await second.waitForFunction('events.length > 0')
      assert.deepEqual(await eventsOf(second), ['change'])
      assert.equal(await nameOf(second), 'ada')
      // A new tab has no tokens in its memory. That is no news for the others.
      const late = await openTab(context, url, { transport: 'bearer' })
      assert.equal(await nameOf(late), refresh === 'cookie' ? 'ada' : null)
      await late.waitForTimeout(100)
      assert.equal(await nameOf(second), 'ada')
      assert.deepEqual(await eventsOf(second), [])
      await second.evaluate('auth.logout()')
      await first.waitForFunction(`events.length > 1`)
      assert.deepEqual(await eventsOf(first), ['change', 'change'])
      assert.equal(await nameOf(first), null)
    })

    test('20 parallel calls in 3 tabs with an expired access token make one refresh', async (t) => {
      const { tabs, count } = await open(t)
      await signIn(tabs[0])
      await tabs[2].waitForFunction('events.length > 0')
      await tabs[1].waitForFunction('events.length > 0')
      const before = count('POST /auth/refresh')
      await tabs[0].waitForTimeout(4200)
      const statuses = await Promise.all(
        tabs.map((tab, at) =>
          tab.evaluate(`Promise.all(Array.from({ length: ${at === 0 ? 6 : 7} }, () =>
            auth.fetch('/notes').then(({ status }) => status)))`),
        ),
      )
      assert.deepEqual(
        statuses.flat(),
        Array.from({ length: 20 }, () => 200),
      )
      assert.equal(count('POST /auth/refresh') - before, 1)
    })

    test('the end of the sign-in reaches the other tabs', async (t) => {
      const { app, tabs } = await open(t)
      const [first, second] = tabs
      assert.equal(await nameOf(second), null)
      await signIn(first)
      await second.waitForFunction('events.length > 0')
      await eventsOf(first)
      await eventsOf(second)
      await app.crudAuth.sessions.revokeAll(1)
      await first.waitForTimeout(4200)
      // The tab had heard of the sign-in from the other one.
      assert.equal(await second.evaluate(`auth.fetch('/notes').then(({ status }) => status)`), 401)
      assert.deepEqual(await eventsOf(second), ['signedout', 'onSignedOut', 'change'])
      await first.waitForFunction('events.length > 0')
      assert.deepEqual(await eventsOf(first), ['change'])
      assert.equal(await nameOf(first), null)
    })
  })
}

describe('client with sessions in Chromium', { skip }, () => {
  test('reads the CSRF cookie after a reload, and notices an expired session', async (t) => {
    const { app, url, count } = await serve(t, {
      transports: [sessionTransport({ managementRoutes: true })],
    })
    const browser = await openBrowser(t, String(chromium))
    const page = await openTab(await browser.newContext(), url)
    await signIn(page)
    assert.equal(await post(page), 200)
    await page.reload()
    await createClient(page)
    assert.equal(await nameOf(page), 'ada')
    assert.equal(await post(page), 200)
    assert.equal(count('POST /auth/csrf/refresh'), 0, 'the cookie had the token')
    // Another script has broken the cookie.
    await page.evaluate(`document.cookie = 'csrf_token=broken; path=/'`)
    assert.equal(await post(page), 200)
    assert.equal(count('POST /auth/csrf/refresh'), 1)
    // A more specific cookie hides the new one.
    await page.evaluate(`document.cookie = 'csrf_token=hidden; path=/'`)
    await page.evaluate(`document.cookie = 'other_csrf_token=x; path=/'`)
    assert.equal(await post(page), 200)

    assert.deepEqual(await eventsOf(page), [])
    await app.crudAuth.sessions.revokeAll(1)
    const statuses = await page.evaluate(
      `Promise.all([1, 2, 3].map(() => auth.fetch('/notes').then(({ status }) => status)))`,
    )
    assert.deepEqual(statuses, [401, 401, 401])
    assert.equal(await nameOf(page), null)
    assert.deepEqual(await eventsOf(page), ['signedout', 'onSignedOut', 'change'])
  })

  test('works on two origins, with CORS and credentials', async (t) => {
    const code = await bundleClient()
    const front = createServer((request, response) => {
      const isScript = request.url === '/client.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(isScript ? code : html)
    })
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    t.after(() => front.close())
    const frontEnd = `http://localhost:${(front.address() as AddressInfo).port}`
    const { url, count } = await serve(
      t,
      {
        transports: [sessionTransport({ managementRoutes: true })],
        trustedOrigins: [frontEnd],
      },
      frontEnd,
    )
    const browser = await openBrowser(t, String(chromium))
    const context = await browser.newContext()
    const options = { baseUrl: `${url}/auth` }
    const page = await openTab(context, frontEnd, options)
    // The front end has cookies of this name, too. They are not those of the API.
    await page.evaluate(`document.cookie = 'csrf_token=foreign; path=/'`)
    assert.equal(await nameOf(page), null)
    await signIn(page)
    assert.equal(await post(page), 200)
    assert.equal(count('POST /auth/csrf/refresh'), 0)
    await page.reload()
    await createClient(page, options)
    assert.deepEqual([await post(page), await post(page)], [200, 200])
    assert.equal(count('POST /auth/csrf/refresh'), 1, 'once after a reload')
    const other = await openTab(context, frontEnd, options)
    assert.equal(await nameOf(other), 'ada')
    await signIn(other)
    assert.equal(await post(page), 200, 'the token of the new session')
    const [list] = (await page.evaluate('auth.sessions.list()')) as { id: string }[]
    await page.evaluate(`auth.sessions.revoke(${JSON.stringify(list?.id)})`)
    assert.equal(await nameOf(other), null)
    const error = await page.evaluate(
      `auth.login({ username: 'ada', password: 'no' }).catch(({ code, status }) => [code, status])`,
    )
    assert.deepEqual(error, ['CRUDAUTH_BAD_CREDENTIALS', 401])
  })

  test('readLinkToken and readLanding clear the address bar and the history', async (t) => {
    const { url } = await serve(t, {})
    const browser = await openBrowser(t, String(chromium))
    const context = await browser.newContext()
    const page = await openTab(context, `${url}/verify-email?token=abc&redirect_to=%2Fx&a=1`)
    assert.equal(await page.evaluate('auth.readLinkToken()'), 'abc')
    assert.equal(page.url(), `${url}/verify-email?a=1`)
    await page.goto(`${url}/start?error=oauth_failed`)
    await createClient(page)
    const landing = { error: 'oauth_failed', challenge: null }
    assert.deepEqual(await page.evaluate('auth.oauth.readLanding()'), landing)
    assert.equal(page.url(), `${url}/start`)
    await page.goto(`${url}/start#mfa_challenge=abc`)
    await page.reload()
    await createClient(page)
    assert.deepEqual(await page.evaluate('auth.oauth.readLanding()'), {
      error: null,
      challenge: 'abc',
    })
    assert.equal(page.url(), `${url}/start`)
    await page.goBack()
    assert.ok(!page.url().includes('oauth_failed'))
  })
})
