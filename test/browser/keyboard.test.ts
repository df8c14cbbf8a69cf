import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Authenticator } from '../demo/authenticator.js'
import { chromiumPath, type Device } from './chromium.js'
import { openDemo } from './open-demo.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

/** A user without a mouse. */
class Keyboard {
  constructor(readonly device: Device) {}

  press(key: string) {
    return this.device.page.keyboard.press(key)
  }

  async enter(text: string) {
    await this.device.page.keyboard.type(text)
    await this.press('Enter')
  }

  /** Presses Tab until the element has the focus. Each focus on the way must be visible. */
  async tabTo(selector: string, key = 'Tab') {
    const { page } = this.device
    for (let presses = 0; presses < 40; presses++) {
      await this.press(key)
      const focused = page.locator(':focus')
      if ((await focused.count()) === 0) continue
      const style = await focused.evaluate((element) => {
        const { getComputedStyle } = globalThis as unknown as {
          getComputedStyle(element: unknown): { outlineStyle: string; outlineWidth: string }
        }
        const { outlineStyle, outlineWidth } = getComputedStyle(element)
        return `${outlineStyle} ${outlineWidth}`
      })
      assert.equal(style, 'solid 3px', 'the focus is visible')
      if (await page.locator(`${selector}:focus`).count()) return
    }
    assert.fail(`${selector} is not reached by ${key}`)
  }

  async focuses(id: string) {
    await this.device.page.locator(`#${id}:focus`).waitFor()
  }
}

test('demo: sign-up, sign-in, the second factor and sudo mode work with a keyboard alone', {
  skip,
}, async (t) => {
  const { device } = await openDemo(t, String(chromium))
  const { page } = device
  const keys = new Keyboard(device)
  await device.sees(/Sign in or create/)

  // Sign up. Arrows change the tab, and Tab moves into its form.
  await keys.tabTo('.skip')
  await keys.tabTo('#tab-login')
  await keys.press('ArrowRight')
  await keys.focuses('tab-register')
  await keys.tabTo('#register-email')
  await page.keyboard.type('ada@example.com')
  await keys.tabTo('#register-name')
  await page.keyboard.type('ada')
  await keys.tabTo('#register-password')
  await page.keyboard.type(password)
  await keys.tabTo('#register .toggle')
  await keys.press('Space')
  assert.equal(await page.locator('#register-password').getAttribute('type'), 'text')
  await keys.tabTo('#register [type=submit]')
  await keys.press('Enter')
  await device.says(/Almost there/)

  // Sign in. The username is filled in.
  await keys.focuses('login-password')
  await keys.enter(password)
  await device.sees(/Hello, ada/)
  await keys.focuses('greeting')

  await keys.tabTo('#factor-password')
  await keys.enter(password)
  await keys.focuses('factor-first')
  const secret = String(await page.locator('#factor-secret code').textContent())
  await keys.enter(await new Authenticator(secret.replaceAll(' ', '')).code())
  await device.says(/second factor is on/)
  await keys.focuses('codes-title')
  await keys.tabTo('#codes-done')
  await keys.press('Enter')
  await keys.focuses('factor-title')

  // Both dialogs keep the focus inside, and give it back.
  await keys.tabTo('#delete')
  await keys.press('Enter')
  await page.locator('#delete-dialog [autofocus]:focus').waitFor()
  await keys.tabTo('#delete-dialog [value=delete]')
  await keys.press('Enter')
  await keys.focuses('sudo-password')
  for (let presses = 0; presses < 12; presses++) {
    await keys.press('Tab')
    const where = await page.evaluate(
      `document.activeElement === document.body || document.activeElement.closest('#sudo-dialog') !== null`,
    )
    assert.ok(where, 'the focus leaves the dialog')
  }
  await keys.press('Escape')
  await device.says(/Nothing was changed/)
  await keys.focuses('delete')
  await keys.press('Enter')
  await keys.tabTo('#delete-dialog [value=delete]')
  await keys.press('Enter')
  await keys.focuses('sudo-password')
  await keys.enter(password)
  await device.says(/Account deleted/)
  await device.sees(/Sign in or create/)
  await keys.focuses('welcome')
})
