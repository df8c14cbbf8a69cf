import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { test } from 'node:test'
import type { Browser } from 'playwright-core'
import { Authenticator } from '../demo/authenticator.js'
import { hostDemo } from '../demo/in-process.js'
import { chromiumPath, Device, openBrowser, screenshotFolder } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

/** A browser with a user, at the pages of the second factor. */
class Person {
  authenticator = new Authenticator('')
  codes: string[] = []

  private constructor(readonly device: Device) {}

  static async open(browser: Browser, url: string, options?: Parameters<Browser['newContext']>[0]) {
    return new Person(await Device.open(browser, url, options))
  }

  get page() {
    return this.device.page
  }

  button(name: string) {
    return this.page.getByRole('button', { name, exact: true })
  }

  focused() {
    return this.device.focused()
  }

  /** Takes the secret from the text of the page, as a user without a camera does. */
  async readSecret() {
    const shown = this.page.locator('.secret:visible')
    await shown.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor()
    const secret = String(await shown.locator('code').textContent()).replaceAll(' ', '')
    assert.match(secret, /^[A-Z2-7]{32}$/)
    const app = shown.getByRole('link', { name: 'open the app on this device' })
    const uri = new URL(String(await app.getAttribute('href')))
    assert.deepEqual(
      [uri.protocol, uri.host, uri.searchParams.get('secret')],
      ['otpauth:', 'totp', secret],
    )
    this.authenticator = new Authenticator(secret)
  }

  async readCodes() {
    await this.page.getByRole('heading', { name: 'Your recovery codes' }).waitFor()
    this.codes = await this.page.locator('#codes-list li').allTextContents()
    assert.equal(new Set(this.codes).size, 10)
    for (const code of this.codes) assert.match(code, /^[a-z2-9]{4}(-[a-z2-9]{4}){3}$/)
  }

  /** Signs up and in, and sets the second factor up. */
  async enroll(name: string) {
    await this.device.register(name, password)
    await this.device.signIn(name, password)
    await this.device.sees(new RegExp(`Hello, ${name}`))
    await this.page
      .locator('#factor-begin')
      .getByLabel('Your password', { exact: true })
      .fill(password)
    await this.button('Set up an authenticator app').click()
    await this.readSecret()
    await this.enterFirstCode()
  }

  async enterFirstCode() {
    await this.page.locator('#factor-first').fill(await this.authenticator.code())
    await this.button('Turn on').click()
    await this.device.says(/second factor is on/)
    await this.readCodes()
  }

  /** Uses up a recovery code. */
  spare() {
    return String(this.codes.pop())
  }

  async enterCode(code: string) {
    await this.page.locator('#step').getByRole('textbox').fill(code)
    await this.button('Continue').click()
  }

  async signOut() {
    await this.button('Sign out').click()
    await this.device.says(/Signed out/)
  }

  /** Asks to delete the account, which needs sudo mode. */
  async openSudo() {
    await this.button('Delete account').click()
    await this.button('Delete for good').click()
    await this.page.getByRole('dialog', { name: 'Confirm it’s you' }).waitFor()
  }

  async closeSudo() {
    await this.page.keyboard.press('Escape')
    await this.device.says(/Nothing was changed/)
  }

  state(text: RegExp) {
    return this.page.locator('#factor-state').filter({ hasText: text }).waitFor()
  }

  /** Problems of the page, except the refusals that the console logs. */
  takeProblems() {
    return this.device.takeProblems().filter((problem) => !/status of 40[013]/.test(problem))
  }
}

test('demo: set-up with a QR code, sign-in with codes, a remembered device, and turning off', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const ada = await Person.open(browser, demo.url, { viewport: { width: 1280, height: 900 } })
  const { page, device } = ada
  await device.register('ada', password)
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
  await ada.state(/^Off\./)
  await ada.openSudo()
  assert.ok(!(await ada.button('Use a code instead').isVisible()), 'no code for sudo mode yet')
  await ada.closeSudo()

  const begin = page.locator('#factor-begin')
  await begin.getByLabel('Your password', { exact: true }).fill('wrong')
  await ada.button('Set up an authenticator app').click()
  await device.says(/not your password/)
  assert.equal(await ada.focused(), 'factor-password')
  await begin.getByLabel('Your password', { exact: true }).fill(password)
  await page.keyboard.press('Enter')
  await ada.readSecret()
  assert.equal(await ada.focused(), 'factor-first')
  await page.screenshot({ path: shot('mfa-1-setup'), fullPage: true })
  await page.locator('#factor-first').fill('000 000')
  await page.keyboard.press('Enter')
  await device.says(/CRUDAUTH_MFA_CODE/)
  await ada.enterFirstCode()
  assert.equal(await ada.focused(), 'codes-title')
  await ada.state(/^On\. 10 recovery codes are left/)
  await page.screenshot({ path: shot('mfa-2-codes'), fullPage: true })
  await ada.button('I have saved them').click()
  assert.equal(await page.locator('#codes').isVisible(), false)
  for (const secret of [password, ...ada.codes])
    assert.ok(!(await page.content()).includes(secret), 'a secret stays in the page')

  await ada.signOut()
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  assert.equal(await ada.focused(), 'step-code')
  const input = page.locator('#step-code')
  assert.equal(await input.getAttribute('autocomplete'), 'one-time-code')
  assert.equal(await input.getAttribute('inputmode'), 'numeric')
  const names = (await device.context.cookies()).map(({ name }) => name)
  const expected = ['__Host-crudauth_device', '__Host-demo_browser']
  assert.deepEqual(names.sort(), expected, 'nobody is signed in yet')
  await ada.enterCode('000000')
  await device.says(/That code is wrong.*CRUDAUTH_MFA_CODE/)
  assert.equal(await ada.focused(), 'step-code')
  assert.equal(await page.locator('#step [aria-invalid]').count(), 1)
  await page.screenshot({ path: shot('mfa-3-wrong-code'), fullPage: true })
  await ada.enterCode(await ada.authenticator.code())
  await device.sees(/Hello, ada/)

  await ada.signOut()
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  await ada.button('Use a recovery code').click()
  assert.equal(await ada.focused(), 'step-recovery')
  await page.screenshot({ path: shot('mfa-4-recovery'), fullPage: true })
  await page.getByLabel('Remember this device').check()
  await ada.enterCode(ada.spare().toUpperCase())
  await device.sees(/Hello, ada/)
  await ada.state(/^On\. 9 recovery codes are left/)
  await ada.signOut()
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)

  const away = await Person.open(browser, demo.url)
  await away.device.signIn('ada', password)
  await away.device.sees(/One more step/)
  await away.button('Sign in as somebody else').click()
  await away.device.sees(/Sign in or create an account/)

  await page.locator('#factor-code').fill(ada.spare())
  await ada.button('Turn off').click()
  await device.says(/second factor is off/)
  await ada.state(/^Off\./)
  await away.device.signIn('ada', password)
  await away.device.sees(/Hello, ada/)
  assert.deepEqual([...ada.takeProblems(), ...away.takeProblems()], [])
  assert.ok(statSync(shot('mfa-1-setup')).size > 10_000)
})

test('demo: recovery codes can be copied, downloaded and replaced', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const ada = await Person.open(browser, demo.url, {
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const { page, device } = ada
  await ada.enroll('ada')
  const old = ada.codes
  await ada.button('Copy').click()
  await device.says(/Copied/)
  assert.equal(await page.evaluate('navigator.clipboard.readText()'), old.join('\n'))
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    ada.button('Download').click(),
  ])
  assert.equal(download.suggestedFilename(), 'recovery-codes.txt')
  assert.equal(readFileSync(await download.path(), 'utf8'), `${old.join('\n')}\n`)

  await page.locator('#factor-code').fill(ada.spare())
  await ada.button('New recovery codes').click()
  await device.says(/replace the old ones/)
  await ada.readCodes()
  assert.ok(!old.some((code) => ada.codes.includes(code)))
  await page.locator('#factor-code').fill(String(old[0]))
  await ada.button('Turn off').click()
  await device.says(/CRUDAUTH_MFA_CODE/)
  assert.equal(await ada.focused(), 'factor-code')
  assert.deepEqual(ada.takeProblems(), [])
})

test('demo: sudo mode takes a code in place of the password', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const ada = await Person.open(browser, demo.url)
  const { page, device } = ada
  await ada.enroll('ada')
  await ada.openSudo()
  assert.equal(await ada.focused(), 'sudo-password')
  await ada.button('Use a code instead').click()
  assert.equal(await ada.focused(), 'sudo-code')
  await ada.closeSudo()
  await ada.openSudo()
  assert.ok(await page.locator('#sudo-password').isVisible(), 'the form is as it was')
  await ada.button('Use a code instead').click()
  await page.locator('#sudo-code').fill(await ada.authenticator.code())
  await ada.button('Confirm').click()
  await device.says(/Account deleted/)
})

test('demo: a required second factor is set up at the first sign-in', { skip }, async (t) => {
  const demo = await hostDemo(t, { MFA_REQUIRED: '1' })
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const ada = await Person.open(browser, demo.url)
  const { page, device } = ada
  await device.register('ada', password)
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  await ada.readSecret()
  assert.ok(!(await ada.button('Use a recovery code').isVisible()), 'there are none yet')
  await page.screenshot({ path: shot('mfa-5-required'), fullPage: true })
  await ada.enterCode(await ada.authenticator.code())
  await device.sees(/Hello, ada/)
  await ada.readCodes()
  assert.equal(await ada.focused(), 'codes-title')
  assert.equal(await page.locator('#step-secret').textContent(), '')
  assert.ok(!(await ada.button('Turn off').isVisible()), 'it is required')
  await ada.signOut()
  assert.equal(await page.locator('#codes-list li').count(), 0)

  // Used up challenges lead back to the password.
  await device.signIn('ada', password)
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    await ada.enterCode(`00000${attempt}`)
    await device.says(/CRUDAUTH_MFA_CODE/)
    await page.locator('#step [aria-invalid]').waitFor()
  }
  await ada.enterCode('000006')
  await device.says(/This sign-in has expired.*CRUDAUTH_TOKEN_INVALID_OR_USED/)
  await device.sees(/Sign in or create an account/)
  assert.deepEqual(ada.takeProblems(), [])
})

test('demo: a provider sign-in asks for the code and leaves no challenge in the URL', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t, {}, { oidc: true })
  const browser = await openBrowser(t, String(chromium))
  const ada = await Person.open(browser, demo.url)
  const { page, device } = ada
  const signInAtProvider = async () => {
    await page.getByRole('button', { name: 'Sign in with the local provider' }).click()
    await page.getByRole('textbox', { name: 'Account', exact: true }).fill('ada')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    const consent = page.getByRole('button', { name: 'Allow', exact: true })
    await consent.or(page.locator('.brand')).first().waitFor()
    if (await consent.isVisible()) await consent.click()
  }
  await signInAtProvider()
  await device.sees(/Hello, ada/)
  // The account has no password; a fresh sign-in stands in for it.
  assert.ok(!(await page.locator('#factor-password').isVisible()))
  await ada.button('Set up an authenticator app').click()
  await ada.readSecret()
  await ada.enterFirstCode()
  // A code is its only way into sudo mode.
  await ada.openSudo()
  await page.locator('#sudo-code').waitFor()
  assert.ok(!(await page.locator('#sudo-password').isVisible()))
  assert.ok(!(await ada.button('Use your password instead').isVisible()))
  await ada.closeSudo()
  await ada.signOut()

  const landings: string[] = []
  page.on('response', (response) => {
    const { location } = response.headers()
    if (response.url().includes('/callback?')) landings.push(String(location))
  })
  await signInAtProvider()
  await device.sees(/One more step/)
  assert.match(String(landings.at(-1)), /^\/#mfa_challenge=[\w-]{43}$/)
  assert.equal(page.url(), `${demo.url}/`, 'the page clears its address')
  await ada.enterCode(await ada.authenticator.code())
  await device.sees(/Hello, ada/)

  // A used challenge is refused, and nobody is signed in by it.
  await ada.signOut()
  await page.goto(`${demo.url}${landings.at(-1)}`)
  await page.reload()
  await device.sees(/Sign in or create an account/)
})

test('demo: an invalid challenge in the URL leads to the sign-in form', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const ada = await Person.open(browser, `${demo.url}/#mfa_challenge=${'a'.repeat(43)}`)
  await ada.device.sees(/Sign in or create an account/)
  await ada.device.says(/This sign-in has expired.*CRUDAUTH_TOKEN_INVALID_OR_USED/)
  assert.equal(ada.page.url(), `${demo.url}/`)
  assert.deepEqual(ada.takeProblems(), [])
})

test('demo: the pages of the second factor fit a phone screen, in light and dark', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    const device = await Person.open(browser, demo.url, {
      viewport: { width: 390, height: 844 },
      colorScheme,
    })
    const { page } = device
    const fits = async (name: string) => {
      await page.screenshot({ path: shot(`mfa-${colorScheme}-${name}`), fullPage: true })
      assert.equal(
        await page.evaluate('document.documentElement.scrollWidth - innerWidth'),
        0,
        name,
      )
    }
    await device.device.register(colorScheme, password)
    await device.device.signIn(colorScheme, password)
    await device.device.sees(/Hello/)
    await page.locator('#factor-password').fill(password)
    await device.button('Set up an authenticator app').click()
    await device.readSecret()
    await fits('setup')
    await device.enterFirstCode()
    await fits('codes')
    await device.signOut()
    await device.device.signIn(colorScheme, password)
    await device.device.sees(/One more step/)
    await fits('step')
    await device.page.context().close()
  }
})
