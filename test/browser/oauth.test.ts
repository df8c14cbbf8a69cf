import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { hostDemo } from '../demo/in-process.js'
import { chromiumPath, Device, openBrowser, screenshotFolder } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

const startOidcDemo = (t: TestContext) => hostDemo(t, {}, { oidc: true })

/** A user with their own browser, at the demo and at the provider. */
class Person {
  constructor(
    readonly device: Device,
    readonly url: string,
  ) {}

  static async open(browser: Browser, url: string, options?: Parameters<Browser['newContext']>[0]) {
    return new Person(await Device.open(browser, url, options), url)
  }

  get page() {
    return this.device.page
  }

  /** Signs in at the provider and answers its consent page, if there is one. Ends at the demo. */
  async passProvider(account: string, decision: 'Allow' | 'Deny' = 'Allow') {
    await this.page.getByRole('textbox', { name: 'Account', exact: true }).fill(account)
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click()
    const consent = this.page.getByRole('button', { name: decision, exact: true })
    await consent.or(this.page.locator('.brand')).first().waitFor()
    if (await consent.isVisible()) await consent.click()
    await this.page.locator('.brand').waitFor()
    assert.ok(this.page.url().startsWith(this.url))
  }

  async signInAtProvider(account: string) {
    await this.page.getByRole('button', { name: 'Sign in with the local provider' }).click()
    await this.passProvider(account)
  }

  async signUpByPassword(name: string) {
    await this.device.register(name, password)
    await this.device.signIn(name, password)
    await this.device.sees(new RegExp(`Hello, ${name}`))
  }

  async signOut() {
    await this.page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await this.device.says(/Signed out/)
  }

  /** Reads one of the account's details from the page. */
  fact(name: string) {
    return this.page.locator(`#you dt:has-text("${name}") + dd`).textContent()
  }

  button(name: 'Link' | 'Unlink') {
    return this.page.getByRole('button', { name: `${name} the local provider`, exact: true })
  }

  takeProblems(): string[] {
    return this.device.takeProblems()
  }

  /** Asserts the error message and code, and no problems except the 4xx that the console logs. */
  async isRefused(text: RegExp, code: string) {
    await this.device.says(text)
    assert.equal(await this.page.locator('[role=alert] code').textContent(), code)
    const problems = this.takeProblems()
    assert.ok(
      problems.every((problem) => /status of 4\d\d/.test(problem)),
      problems.join('\n'),
    )
  }
}

test('demo: provider sign-up, later sign-ins to the same account, and the last sign-in method stays', {
  skip,
}, async (t) => {
  const demo = await startOidcDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const ada = await Person.open(browser, demo.url, { viewport: { width: 1280, height: 900 } })
  const { page, device } = ada

  await page.getByRole('button', { name: 'Sign in with the local provider' }).waitFor()
  await page.screenshot({ path: shot('oauth-1-out'), fullPage: true })
  await ada.signInAtProvider('ada')
  await device.sees(/Hello, ada/)
  assert.equal(page.url(), `${demo.url}/`)
  assert.match(String(await ada.fact('Email')), /ada@example\.com confirmed/)
  const id = await ada.fact('User id')
  await page.locator('#accounts').getByText('linked just now').waitFor()
  await page.screenshot({ path: shot('oauth-2-signed-up'), fullPage: true })
  assert.deepEqual(ada.takeProblems(), [])

  // The account has no password, so the cards that need one are hidden.
  // The provider is its only sign-in method.
  for (const card of ['sudo', 'change', 'move', 'delete'])
    assert.ok(!(await page.locator(`#${card}`).isVisible()), card)
  await ada.button('Unlink').click()
  await ada.isRefused(
    /only way to sign in to the account; set a password first/,
    'CRUDAUTH_LAST_SIGN_IN_METHOD',
  )
  await page.screenshot({ path: shot('oauth-3-only-way-in') })
  assert.equal(await ada.button('Unlink').count(), 1)

  await ada.signOut()
  await page.getByLabel('Remember me').check()
  await ada.signInAtProvider('ada')
  await device.sees(/Hello, ada/)
  assert.equal(await ada.fact('User id'), id)
  const [kept] = (await device.context.cookies(demo.url)).filter(
    ({ name }) => name === '__Host-crudauth_session',
  )
  assert.ok(
    kept?.httpOnly && kept.secure && kept.expires > Date.now() / 1000 + 86_400 * 29,
    'remembered',
  )

  await page.getByLabel('Your first password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Set password' }).click()
  await device.says(/Password set/)
  assert.ok(!(await page.locator('#first').isVisible()))
  await page.locator('#change').waitFor()
  await ada.button('Unlink').click()
  await device.says(/Unlinked the local provider/)
  await ada.button('Link').waitFor()
  assert.equal(await device.focused(), 'accounts-title')
  await page.reload()
  await ada.button('Link').waitFor()

  // The provider has verified the address, so the account is matched by it.
  await ada.signOut()
  await ada.signInAtProvider('ada')
  await device.sees(/Hello, ada/)
  assert.equal(await ada.fact('User id'), id)
  await ada.button('Unlink').waitFor()
  assert.ok(await page.locator('#change').isVisible(), 'the password is still there')
  assert.deepEqual(ada.takeProblems(), [])
  assert.ok(statSync(shot('oauth-2-signed-up')).size > 10_000)
})

test('demo: a provider account linked to one user cannot be linked to another', {
  skip,
}, async (t) => {
  const demo = await startOidcDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const eve = await Person.open(browser, demo.url, { viewport: { width: 1280, height: 900 } })
  await eve.signUpByPassword('eve')
  await eve.button('Link').click()
  await eve.passProvider('bob', 'Deny')
  await eve.isRefused(/The provider did not sign you in/, 'oauth_failed')
  assert.equal(eve.page.url(), `${demo.url}/`)
  await eve.device.sees(/Hello, eve/)

  await eve.button('Link').click()
  await eve.passProvider('bob')
  await eve.device.says(/Linked the local provider/)
  assert.equal(eve.page.url(), `${demo.url}/`)
  await eve.button('Unlink').waitFor()
  await eve.page.screenshot({ path: shot('oauth-4-linked'), fullPage: true })
  // Linking an account with an unverified address doesn't change the local address.
  assert.match(String(await eve.fact('Email')), /eve@example\.com not confirmed/)
  await eve.signOut()
  await eve.signInAtProvider('bob')
  await eve.device.sees(/Hello, eve/)
  assert.deepEqual(eve.takeProblems(), [])

  const carl = await Person.open(browser, demo.url, {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
  })
  await carl.signUpByPassword('carl')
  await carl.button('Link').click()
  await carl.passProvider('bob')
  await carl.isRefused(/belongs to another account/, 'oauth_linked_elsewhere')
  await carl.device.sees(/Hello, carl/)
  await carl.button('Link').waitFor()
  await carl.page.screenshot({ path: shot('oauth-5-elsewhere'), fullPage: true })
  assert.equal(await carl.device.overflow(), 0)
})

test('demo: an unverified provider email does not sign in to an existing account; the page says so', {
  skip,
}, async (t) => {
  const demo = await startOidcDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const owner = await Person.open(browser, demo.url)
  await owner.signUpByPassword('bob')

  const stranger = await Person.open(browser, demo.url, { viewport: { width: 390, height: 844 } })
  await stranger.page.screenshot({ path: shot('oauth-6-phone'), fullPage: true })
  assert.equal(await stranger.device.overflow(), 0)
  await stranger.signInAtProvider('bob')
  await stranger.device.sees(/Sign in or create an account/)
  await stranger.isRefused(/There is an account with that email/, 'email_unverified')
  await stranger.page.screenshot({ path: shot('oauth-7-refused') })
  assert.equal(new URL(stranger.page.url()).search, '', 'the page clears its address')
  const names = (await stranger.device.context.cookies(demo.url)).map(({ name }) => name)
  assert.ok(!names.some((name) => /session|csrf/.test(name)), names.join())

  await owner.page.reload()
  await owner.device.sees(/Hello, bob/)
  await owner.button('Link').waitFor()
})

test('demo: unknown error codes in the redirect URL are not shown', { skip }, async (t) => {
  const demo = await startOidcDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const somebody = await Person.open(
    browser,
    `${demo.url}/?error=${encodeURIComponent('<b>Call 555-1234')}&linked=local`,
  )
  await somebody.device.sees(/Sign in or create an account/)
  assert.equal(somebody.page.url(), `${demo.url}/`)
  assert.match(String(await somebody.page.locator('.messages').textContent()), /^\s*$/)
})
