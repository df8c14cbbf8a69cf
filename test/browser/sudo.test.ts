import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chromiumPath } from './chromium.js'
import { openDemo, openOnTwoDevices } from './open-demo.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

test('demo: deleting the account asks for the password in a dialog, and then repeats', {
  skip,
}, async (t) => {
  const { device } = await openDemo(t, String(chromium))
  const { page } = device
  const button = (name: string) => page.getByRole('button', { name, exact: true })
  await device.register('ada', password)
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)

  await button('Delete account').click()
  await page.getByRole('dialog', { name: 'Delete this account?' }).waitFor()
  await button('Keep account').click()
  assert.equal(await device.focused(), 'delete')
  assert.deepEqual(device.takeProblems(), [], 'nothing was sent')

  await button('Delete account').click()
  await button('Delete for good').click()
  const sudo = page.getByRole('dialog', { name: 'Confirm it’s you' })
  await sudo.waitFor()
  assert.equal(await device.focused(), 'sudo-password')
  await page.keyboard.press('Escape')
  await sudo.waitFor({ state: 'hidden' })
  await device.says(/Nothing was changed.*CRUDAUTH_SUDO_REQUIRED/)
  assert.equal(device.takeProblems().length, 1)

  await button('Delete account').click()
  await button('Delete for good').click()
  await page.locator('#sudo-password').fill('not it at all')
  await page.keyboard.press('Enter')
  await device.says(/not your password/)
  await device.says(/CRUDAUTH_WRONG_PASSWORD/)
  assert.equal(await device.focused(), 'sudo-password')
  assert.equal(device.takeProblems().length, 2)
  await page.locator('#sudo-password').fill(password)
  await button('Confirm').click()
  await device.says(/Account deleted/)
  await device.sees(/Sign in/)
  assert.ok(!(await page.content()).includes(password))
  await device.signIn('ada', password)
  await device.says(/CRUDAUTH_BAD_CREDENTIALS/)
})

test('demo: a session that ends while the sudo dialog is open closes it', { skip }, async (t) => {
  const [device, other] = await openOnTwoDevices(t, String(chromium), password)
  await device.page.getByRole('button', { name: 'Delete account' }).click()
  await device.page.getByRole('button', { name: 'Delete for good' }).click()
  await device.page.locator('#sudo-password').fill(password)
  await other.page.reload()
  await other.page.getByRole('button', { name: 'Sign out everywhere else' }).click()
  await other.says(/Ended one other session/)
  await device.page.getByRole('button', { name: 'Confirm', exact: true }).click()
  await device.sees(/Sign in or create/)
  assert.equal(await device.page.locator('dialog[open]').count(), 0)
  assert.equal(await device.page.locator('#sudo-password').inputValue(), '')
  // The account still exists.
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
})
