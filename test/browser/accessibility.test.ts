import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { Authenticator } from '../demo/authenticator.js'
import { hostDemo } from '../demo/in-process.js'
import { assertAccessible } from './axe.js'
import { chromiumPath, Device, openBrowser } from './chromium.js'
import { VirtualAuthenticator } from './virtual-authenticator.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

const looks = [390, 1280].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)

/**
 * Opens the demo, with its provider. `check` runs axe on the page as it is, in each look. With
 * `again` it does that first, for pages that take their look when they load.
 */
async function open(t: TestContext) {
  const demo = await hostDemo(t, {}, { oidc: true })
  const browser = await openBrowser(t, String(chromium))
  const device = await Device.open(browser, demo.url, { reducedMotion: 'reduce' })
  const { page } = device
  const check = async (state: string, again?: () => Promise<unknown>, ignored?: string[]) => {
    for (const { width, colorScheme } of looks) {
      await page.setViewportSize({ width, height: 844 })
      await page.emulateMedia({ colorScheme })
      await again?.()
      await assertAccessible(page, `${state} (${colorScheme}, ${width} pixels)`, ignored)
    }
  }
  const button = (text: string) => page.getByRole('button', { name: text, exact: true })
  const visit = async (path: string, heading: RegExp) => {
    await page.goto(demo.url + path)
    await device.sees(heading)
  }
  return { demo, device, page, check, button, visit }
}

/** Reads the secret under the QR code. */
async function authenticatorOf(page: Page): Promise<Authenticator> {
  const text = await page.locator('#factor-secret code').textContent()
  return new Authenticator(String(text).replaceAll(' ', ''))
}

test('accessibility: the check finds what is wrong', { skip }, async (t) => {
  const { page, device } = await open(t)
  await device.sees(/Sign in/)
  await page.evaluate("document.getElementById('login-name').labels[0].remove()")
  await assert.rejects(assertAccessible(page, 'label'), /label \| <input id="login-name"/)
  await assertAccessible(page, 'ignored', ['label'])
  await page.setViewportSize({ width: 390, height: 844 })
  await page.evaluate("document.querySelector('.card').style.width = '500px'")
  await assert.rejects(assertAccessible(page, 'wide', ['label']), /wide scrolls sideways/)
})

test('accessibility: sign-up, sign-in and the account area', { skip }, async (t) => {
  const { device, page, check, button } = await open(t)
  await device.sees(/Sign in or create/)
  await check('sign in')
  await page.getByRole('tab', { name: 'Create account' }).click()
  await check('sign up')
  await page.locator('#register-password').fill('short')
  await button('Create account').click()
  assert.equal(await page.locator('.field-error').count(), 3)
  await check('sign up with errors')
  await device.register('ada', password)
  await check('signed up')
  await device.signIn('ada', 'wrong')
  await device.says(/CRUDAUTH_BAD_CREDENTIALS/)
  await check('refused sign in')
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
  await page.locator('#move-details summary').click()
  await check('account')

  await page.locator('#factor-password').fill(password)
  await button('Set up an authenticator app').click()
  const authenticator = await authenticatorOf(page)
  await check('QR code')
  await page.locator('#factor-first').fill(await authenticator.code())
  await button('Turn on').click()
  await device.says(/second factor is on/)
  await check('recovery codes')

  await button('Delete account').click()
  await check('delete dialog')
  await button('Delete for good').click()
  await page.locator('#sudo-password').fill('wrong')
  await button('Confirm').click()
  await device.says(/not your password/)
  await check('sudo dialog')
  await button('Use a code instead').click()
  await check('sudo dialog with a code')
  await button('Cancel').click()

  await button('Sign out').click()
  await device.says(/Signed out/)
  await check('signed out')
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  await check('second step')
  await button('Use a recovery code').click()
  await page.locator('#step-recovery').fill('wrong')
  await button('Continue').click()
  await device.says(/CRUDAUTH_MFA_CODE/)
  await check('second step with an error')
})

test('accessibility: passkeys', { skip }, async (t) => {
  const { device, page, check, button } = await open(t)
  const authenticator = await VirtualAuthenticator.attach(page)
  await device.register('ada', password)
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
  await button('Add a passkey').click()
  await page.locator('#passkey-name-error').waitFor()
  await check('passkey without a name')
  await page.locator('#passkey-name').fill('Laptop')
  await button('Add a passkey').click()
  await device.says(/Added/)
  await check('a passkey')
  await page.locator('#passkey-name').fill('Again')
  await button('Add a passkey').click()
  await device.says(/PASSKEY_KNOWN/)
  await check('a known passkey')
  await button('Rename Laptop').click()
  await check('rename dialog')
  await page.locator('#rename-name').fill('')
  await button('Rename').click()
  await page.locator('#rename-name-error').waitFor()
  await check('rename dialog with an error')
  await button('Cancel').click()

  const held = await authenticator.credentials()
  await authenticator.hold()
  await button('Delete account').click()
  await button('Delete for good').click()
  await button('Use a passkey').click()
  await device.says(/PASSKEY_NOT_USED/)
  await check('sudo dialog with a passkey')
  await button('Cancel').click()

  await page.locator('#factor-password').fill(password)
  await button('Set up an authenticator app').click()
  const app = await authenticatorOf(page)
  await page.locator('#factor-first').fill(await app.code())
  await button('Turn on').click()
  await device.says(/second factor is on/)
  await button('Sign out').click()
  await device.says(/Signed out/)
  await button('Sign in with a passkey').click()
  await device.says(/PASSKEY_NOT_USED/)
  await check('sign in without a passkey')
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  await authenticator.hold(...held)
  await check('second step with a passkey')
})

test('accessibility: mailbox, requests, links and errors', { skip }, async (t) => {
  const { demo, device, page, check, button, visit } = await open(t)
  await visit('/mailbox', /Mailbox/)
  await page.getByText('No messages yet').waitFor()
  await check('empty mailbox')
  await visit('/requests', /Requests/)
  // The start page has asked for options of a passkey, which may be recorded only now.
  const empty = page.getByText('No requests yet')
  for (let tries = 0; tries < 20 && !(await empty.isVisible()); tries++) {
    await page.evaluate("fetch('/requests/log', { method: 'DELETE' })")
    await page.waitForTimeout(500)
  }
  await empty.waitFor()
  await check('no requests')
  await visit('/', /Sign in/)
  await device.register('ada', password)
  await visit('/mailbox', /Mailbox/)
  await page.frameLocator('#html').getByRole('link').first().waitFor()
  await page.getByText('As text').click()
  await check('mailbox')
  const link = new URL(String(await page.locator('#open').getAttribute('href')))
  await visit('/requests', /Requests/)
  await page.locator('#requests summary').first().click()
  await check('requests')

  await visit(link.pathname + link.search, /Confirm your address/)
  await check('link')
  await button('Confirm the address').click()
  await device.says(/confirmed/)
  await check('used link')
  await visit(link.pathname + link.search, /Confirm your address/)
  await button('Confirm the address').click()
  await device.sees(/no longer works/)
  await check('expired link')
  await visit('/reset-password', /Forgot your password/)
  await check('reset')
  await visit('/reset-password?token=x', /Set a new password/)
  await check('reset form')
  await page.locator('#confirm-password').fill(password)
  await button('Set password').click()
  await device.sees(/no longer works/)
  await check('expired reset')

  await visit('/nothing', /Page not found/)
  await page.getByText('What an API client gets').click()
  await check('404')
  await visit('/members', /Sign in to see this page/)
  await check('guarded page')
  await page.getByRole('link', { name: 'Sign in' }).click()
  await device.signIn('ada', password)
  await device.sees(/Members/)
  await check('page behind the guard')
  // Swagger UI looks at the color scheme only when it loads. Its markup isn't ours.
  const openApi = async () => {
    await page.goto(`${demo.url}/docs`)
    await page.locator('#operations-session-login').waitFor()
  }
  await check('API', openApi, ['heading-order', 'nested-interactive', 'region'])
})

test('accessibility: the pages of the provider', { skip }, async (t) => {
  const { device, page, check, button } = await open(t)
  await button('Sign in with the local provider').click()
  await device.sees(/Sign in/)
  await check('provider sign in')
  await page.getByRole('textbox', { name: 'Account' }).fill('eve')
  await button('Sign in').click()
  await page.getByText('There is no account “eve”').waitFor()
  await check('provider with an error')
  await page.getByRole('textbox', { name: 'Account' }).fill('ada')
  await button('Sign in').click()
  await device.sees(/Share your profile/)
  await check('consent')
  const consent = page.url()
  await button('Allow').click()
  await device.sees(/Hello, ada/)
  await check('account without a password')
  await page.goto(consent)
  await device.sees(/cannot continue/)
  await check('provider failure')
})
