import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Authenticator } from '../demo/authenticator.js'
import { type HostedDemo, hostDemo } from '../demo/in-process.js'
import { temporaryFolder } from '../demo/start.js'
import { chromiumPath, Device, openBrowser, screenshotFolder } from './chromium.js'
import { VirtualAuthenticator } from './virtual-authenticator.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

/** Marks the document while the autofill waits for a passkey. */
const watch = `
  const get = navigator.credentials.get.bind(navigator.credentials)
  navigator.credentials.get = (options) => {
    document.documentElement.classList.toggle('waits', options.mediation === 'conditional')
    return get(options)
  }`

/** A browser with an authenticator, at the start page. */
async function open(t: TestContext, { url }: HostedDemo) {
  const device = await Device.open(await openBrowser(t, String(chromium)), url)
  const { page } = device
  const authenticator = await VirtualAuthenticator.attach(page)
  await page.addInitScript(watch)
  await page.reload()
  // The reload may have ended a request.
  device.takeProblems()
  const button = (name: string) => page.getByRole('button', { name, exact: true })
  /** Does what makes the start page ask for a passkey, and has that request wait. */
  const beforeAutofill = async (work: () => Promise<void>) => {
    // Otherwise the autofill of the start page signs in at once.
    await authenticator.answers(false)
    await page.evaluate("document.documentElement.classList.remove('waits')")
    await work()
    await page.locator('html.waits').waitFor()
    await authenticator.answers(true)
  }
  const signOut = () =>
    beforeAutofill(async () => {
      await button('Sign out').click()
      await device.says(/Signed out/)
    })
  const addPasskey = async (name: string) => {
    await page.getByLabel('Name of the new passkey').fill(name)
    await button('Add a passkey').click()
    await device.says(new RegExp(`Added “${name}”`))
  }
  const signUp = async (name: string) => {
    await device.register(name, password)
    await device.signIn(name, password)
    await device.sees(new RegExp(`Hello, ${name}`))
  }
  /** The authenticator answers the autofill with the passkey of the account that is gone. */
  const seesDeleted = async () => {
    await device.sees(/Sign in or create/)
    await device.says(/No account here accepts that passkey/)
  }
  const passkeyRows = page.locator('#passkey-list li')
  /** Problems of the page, except the refusals that the console logs. */
  const takeProblems = () =>
    device.takeProblems().filter((problem) => !/status of 40[0139]/.test(problem))
  return {
    device,
    page,
    authenticator,
    button,
    beforeAutofill,
    signOut,
    addPasskey,
    signUp,
    seesDeleted,
    passkeyRows,
    takeProblems,
  }
}

test('demo: a passkey is added, signs in, gets another name and is removed', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const ada = await open(t, demo)
  const { device, page, button, passkeyRows } = ada
  const shot = screenshotFolder(t)
  await ada.signUp('ada')
  await button('Add a passkey').click()
  await page.locator('#passkey-name-error').waitFor()
  assert.equal(await device.focused(), 'passkey-name')
  await ada.addPasskey('Laptop')
  assert.equal(await device.focused(), 'passkeys-title')
  assert.match(String(await passkeyRows.textContent()), /Laptop.*added just now · never used/)
  await page.getByLabel('Name of the new passkey').fill('Again')
  await button('Add a passkey').click()
  await device.says(/This device has a passkey of your account already.*PASSKEY_KNOWN/)
  await page.screenshot({ path: shot('passkeys-1-list'), fullPage: true })

  await ada.signOut()
  await button('Sign in with a passkey').click()
  await device.sees(/Hello, ada/)
  await passkeyRows.filter({ hasText: 'used just now' }).waitFor()

  await button('Rename Laptop').click()
  assert.equal(await device.focused(), 'rename-name')
  await page.locator('#rename-name').fill('   ')
  await button('Rename').click()
  await page.locator('#rename-name-error').waitFor()
  await page.locator('#rename-name').fill('Work laptop')
  await page.keyboard.press('Enter')
  await device.says(/Renamed to “Work laptop”/)
  await button('Rename Work laptop').click()
  await button('Cancel').click()

  await button('Remove Work laptop').click()
  await device.says(/Removed “Work laptop”/)
  assert.equal(await passkeyRows.count(), 0)
  assert.deepEqual(ada.takeProblems(), [])

  // The authenticator still has it.
  await ada.signOut()
  await button('Sign in with a passkey').click()
  await device.says(/No account here accepts that passkey.*CRUDAUTH_BAD_CREDENTIALS/)
  await device.sees(/Sign in or create/)
})

test('demo: the autofill of the login field offers passkeys', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const ada = await open(t, demo)
  const { device, page, button } = ada
  await ada.signUp('ada')
  await ada.addPasskey('Laptop')
  await ada.signOut()
  const field = page.getByLabel('Email or username')
  assert.equal(await field.getAttribute('autocomplete'), 'username webauthn')
  // The offer to sign in ends when another sign-in starts, and comes back when that is refused.
  await ada.beforeAutofill(async () => {
    await device.signIn('ada', 'wrong')
    await device.says(/CRUDAUTH_BAD_CREDENTIALS/)
  })
  await device.signIn('ada', 'wrong')
  await device.sees(/Hello, ada/)
  await device.says(/Signed in/)
  await ada.signOut()
  await page.reload()
  await device.sees(/Hello, ada/)
  assert.ok(await button('Sign out').isVisible())
  assert.deepEqual(ada.takeProblems(), [])
})

test('demo: a passkey cannot be used at another host than localhost', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const ada = await open(t, { ...demo, url: demo.url.replace('localhost', '127.0.0.1') })
  await ada.button('Sign in with a passkey').click()
  await ada.device.says(/Passkeys belong to one host.*PASSKEY_ELSEWHERE/)
})

test('demo: a passkey is the second factor where one is required', { skip }, async (t) => {
  const folder = temporaryFolder(t)
  const relaxed = await hostDemo(t, { DEMO_FOLDER: folder })
  const ada = await open(t, relaxed)
  const { device, page, authenticator, button } = ada
  await ada.signUp('ada')
  await ada.addPasskey('Laptop')
  await ada.signOut()
  await relaxed.stop()
  const demo = await hostDemo(t, { DEMO_FOLDER: folder, MFA_REQUIRED: '1' })
  await authenticator.answers(false)
  await page.goto(demo.url)
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  assert.match(String(await page.locator('#step-text').textContent()), /Use your passkey/)
  assert.equal(await device.focused(), 'step-passkey')
  assert.equal(await page.getByRole('textbox').count(), 0, 'no code')
  assert.ok(!(await button('Continue').isVisible()))
  await authenticator.answers(true)
  await button('Use a passkey').click()
  await device.sees(/Hello, ada/)
  await page.getByText('Your passkey is your second factor').waitFor()
  await button('Remove Laptop').click()
  await device.says(/Accounts here need a second factor.*CRUDAUTH_FORBIDDEN/)

  // With user verification it is two factors, so nothing else is asked.
  await ada.signOut()
  await button('Sign in with a passkey').click()
  await device.sees(/Hello, ada/)
})

test('demo: a passkey answers in place of a code, and enters sudo mode', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const ada = await open(t, demo)
  const { device, page, authenticator, button } = ada
  await ada.signUp('ada')
  await ada.addPasskey('Laptop')
  await page.locator('#factor-password').fill(password)
  await button('Set up an authenticator app').click()
  const secret = String(await page.locator('#factor-secret code').textContent())
  const app = new Authenticator(secret.replaceAll(' ', ''))
  await page.locator('#factor-first').fill(await app.code())
  await button('Turn on').click()
  await device.says(/second factor is on/)
  await ada.signOut()

  await authenticator.answers(false)
  await page.reload()
  await device.signIn('ada', password)
  await device.sees(/One more step/)
  assert.equal(await device.focused(), 'step-code')
  await authenticator.answers(true)
  await button('Use a passkey').click()
  await device.sees(/Hello, ada/)

  await button('Delete account').click()
  await button('Delete for good').click()
  const dialog = page.getByRole('dialog', { name: 'Confirm it’s you' })
  await dialog.waitFor()
  const credentials = await authenticator.credentials()
  await authenticator.hold()
  await button('Use a passkey').click()
  await device.says(/No passkey was used.*PASSKEY_NOT_USED/)
  assert.ok(await dialog.isVisible())
  await authenticator.hold(...credentials)
  await button('Use a passkey').click()
  await ada.seesDeleted()
})

test('demo: the last way to sign in cannot be removed', { skip }, async (t) => {
  const demo = await hostDemo(t, {}, { oidc: true })
  const ada = await open(t, demo)
  const { device, page, button, addPasskey, passkeyRows } = ada
  await button('Sign in with the local provider').click()
  await page.getByRole('textbox', { name: 'Account' }).fill('ada')
  await button('Sign in').click()
  await device.sees(/Share your profile/)
  await button('Allow').click()
  await device.sees(/Hello, ada/)
  await addPasskey('Laptop')
  await button('Unlink the local provider').click()
  await device.says(/Unlinked/)
  await button('Remove Laptop').click()
  await device.says(/only way to sign in. Set a password first.*CRUDAUTH_LAST_SIGN_IN_METHOD/)
  assert.equal(await passkeyRows.count(), 1)
  // Without a password and an authenticator app, the passkey confirms who the user is.
  await button('Delete account').click()
  await button('Delete for good').click()
  await page.locator('#sudo-passkey:focus').waitFor()
  assert.equal(await page.locator('#sudo').getByRole('textbox').count(), 0)
  await button('Use a passkey').click()
  await ada.seesDeleted()
})
