import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { freePort } from '../../examples/demo/address.js'
import crudAuth, { memoryUsers, sessionTransport } from '../../src/index.js'
import { fakeProvider } from '../../src/testing/index.js'
import { blockNamed, bundlePage } from '../client/bundle.js'
import { cheap, limitsOff, password, secret } from '../helpers/build.js'
import { allowCodesAgain, codeAt, mfaOptions } from '../helpers/mfa.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const path = 'docs/guides/second-factor.md'

/** The QR code library of the guide, which isn't installed. */
const qrcode = {
  qrcode: `export default { toCanvas: async (canvas, uri) => { canvas.dataset.uri = uri } }`,
}

test('second-factor guide: the pages turn it on, ask for it, enroll and turn it off', {
  skip,
}, async (t) => {
  const settings = await bundlePage(blockNamed(path, 'mfa-settings').code, qrcode)
  const signIn = await bundlePage(blockNamed(path, 'mfa-sign-in').code, qrcode)
  const acme = await fakeProvider(t)
  acme.user = {
    sub: '1',
    email: 'eve@example.com',
    email_verified: true,
    preferred_username: 'eve',
  }
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const port = await freePort('127.0.0.1')
  const url = `http://localhost:${port}`
  let isRequired = false
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers({ unique: ['acmeId'] }),
    passwords: { cost: cheap },
    rateLimits: limitsOff,
    transports: [sessionTransport({ managementRoutes: true })],
    mfa: { ...mfaOptions, required: () => isRequired },
    oauth: { baseUrl: url, providers: { acme: acme.provider }, defaultRedirect: '/sign-in' },
  })
  const html = (body: string) =>
    `<!doctype html><meta charset="utf-8"><title>App</title>${body.replace('<!doctype html>', '')}`
  app.get('/', async (_request, reply) => reply.type('text/html').send(html('<h1>Home</h1>')))
  app.get('/sign-in', async (_request, reply) => reply.type('text/html').send(html(signIn)))
  app.get('/settings', async (_request, reply) => reply.type('text/html').send(html(settings)))
  await app.listen({ host: '127.0.0.1', port })
  await app.inject({
    method: 'POST',
    url: '/auth/register',
    payload: { email: 'ada@example.com', username: 'ada', password },
  })

  const browser = await openBrowser(t, String(chromium))
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(10_000)
  const visible = (text: string | RegExp) => page.getByText(text).waitFor()
  const button = (name: string) => page.getByRole('button', { name }).click()
  const enterPassword = async () => {
    await page.goto(`${url}/sign-in`)
    await page.getByLabel('Email or username').fill('ada')
    await page.getByLabel('Password').fill(password)
    await button('Sign in')
  }
  const enterCode = async (code: string) => {
    await page.getByLabel(/^Code/).locator('visible=true').fill(code)
  }
  const again = (name: string) => allowCodesAgain(app, name)

  // Without a factor the password is enough.
  await enterPassword()
  await page.getByRole('heading', { name: 'Home' }).waitFor()
  await page.goto(`${url}/settings`)
  await visible('Two-factor authentication is off.')
  await page.getByLabel('Password').fill('wrong')
  await button('Turn on two-factor authentication')
  await visible('The password is wrong')
  await page.getByLabel('Password').fill(password)
  await button('Turn on two-factor authentication')
  await page.locator('#mfa-qr-code[data-uri^="otpauth://"]').waitFor()
  const totp = String(await page.locator('#mfa-secret').textContent())
  await enterCode(codeAt(totp))
  await button('Confirm')
  await visible(/is on\. 10 recovery codes are left/)
  const first = await page.locator('#mfa-codes').textContent()
  assert.equal(first?.split('\n').length, 10)
  await again('ada')
  await enterCode(codeAt(totp))
  await button('New recovery codes')
  await page.waitForFunction(
    `document.getElementById('mfa-codes').textContent !== ${JSON.stringify(first)}`,
  )

  // The sign-in asks for a code.
  await enterPassword()
  await enterCode('000000')
  await button('Continue')
  await visible(/code is wrong/)
  await again('ada')
  await enterCode(codeAt(totp))
  await button('Continue')
  await page.getByRole('heading', { name: 'Home' }).waitFor()
  await page.goto(`${url}/settings`)
  await again('ada')
  await enterCode(codeAt(totp))
  await button('Turn off')
  await visible('Two-factor authentication is off.')

  // An account that must have a factor enrolls, here after a sign-in with a provider.
  isRequired = true
  await page.goto(`${url}/auth/oauth/acme/authorize?redirect_to=/sign-in`)
  await page.locator('#qr-code[data-uri^="otpauth://"]').waitFor()
  assert.equal(page.url(), `${url}/sign-in`, 'the challenge is not in the address bar')
  await enterCode(codeAt(String(await page.locator('#secret').textContent())))
  await button('Continue')
  await visible(/Save these recovery codes/)
  assert.equal((await page.locator('#recovery-codes').textContent())?.split('\n').length, 10)
  await button('I have saved them')
  await page.getByLabel('Email or username').waitFor()

  // A challenge that has ended.
  await page.goto(`${url}/sign-in#mfa_challenge=${'a'.repeat(43)}`)
  await page.reload()
  await visible(/invalid, expired or used/)
})
