import { test } from 'node:test'
import Fastify from 'fastify'
import { freePort } from '../../examples/demo/address.js'
import crudAuth, { memoryPasskeys, memoryUsers, sessionTransport } from '../../src/index.js'
import { blockNamed, bundlePage } from '../client/bundle.js'
import { cheap, limitsOff, password, secret } from '../helpers/build.js'
import { chromiumPath, openBrowser } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const path = 'docs/guides/passkeys.md'

test('passkey guide: the pages add a passkey, sign in with it and remove it', {
  skip,
}, async (t) => {
  const account = await bundlePage(blockNamed(path, 'passkey-account').code)
  const signIn = await bundlePage(blockNamed(path, 'passkey-sign-in').code)
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const port = await freePort('127.0.0.1')
  const url = `http://localhost:${port}`
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    rateLimits: limitsOff,
    transports: [sessionTransport({ managementRoutes: true })],
    passkeys: { rpName: 'Example', rpId: 'localhost', origins: [url], store: memoryPasskeys() },
  })
  const html = (body: string) =>
    `<!doctype html><meta charset="utf-8"><title>App</title>${body.replace('<!doctype html>', '')}`
  app.get('/sign-in', async (_request, reply) => reply.type('text/html').send(html(signIn)))
  app.get('/account', async (_request, reply) => reply.type('text/html').send(html(account)))
  await app.listen({ host: '127.0.0.1', port })
  await app.inject({
    method: 'POST',
    url: '/auth/register',
    payload: { email: 'ada@example.com', username: 'ada', password },
  })

  const browser = await openBrowser(t, String(chromium))
  const context = await browser.newContext()
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const devtools = await context.newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      // A person chooses when to use it. Otherwise the autofill would sign in at once.
      automaticPresenceSimulation: false,
    },
  })
  const present = (enabled: boolean) =>
    devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })
  const button = (name: string) => page.getByRole('button', { name, exact: true }).click()
  const visible = (text: string | RegExp) => page.getByText(text).waitFor()

  await page.goto(`${url}/sign-in`)
  await page.getByLabel('Email or username').fill('ada')
  await page.getByLabel('Password').fill(password)
  await button('Sign in')
  await page.getByRole('heading', { name: 'Passkeys' }).waitFor()
  await present(true)
  await page.getByLabel('Name').fill('Laptop')
  await button('Add a passkey')
  await visible('Laptop, last used: never')
  await button('Add a passkey')
  await visible('This device has a passkey of the account already.')

  await context.clearCookies()
  await present(false)
  await page.goto(`${url}/sign-in`)
  await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor()
  await present(true)
  await button('Sign in with a passkey')
  await visible(/Laptop, last used: \d/)

  await button('Remove')
  await page.getByRole('listitem').waitFor({ state: 'detached' })
  await context.clearCookies()
  await page.goto(`${url}/sign-in`)
  await button('Sign in with a passkey')
  await visible('The passkey was not accepted')
})
