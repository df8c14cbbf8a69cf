import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostDemo } from '../demo/in-process.js'
import { chromiumPath, Device, openBrowser } from './chromium.js'
import { openDemo, openOnTwoDevices } from './open-demo.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'

test('demo: on a phone, all ways to sign in and up fit the first screen', { skip }, async (t) => {
  const demo = await hostDemo(t, {}, { oidc: true })
  const browser = await openBrowser(t, String(chromium))
  const viewport = { width: 390, height: 844 }
  const { page } = await Device.open(browser, demo.url, { viewport })
  const tabs = ['Create account', 'Sign in']
  for (const name of tabs) {
    await page.getByRole('tab', { name }).click()
    const controls = [
      ...tabs.map((tab) => page.getByRole('tab', { name: tab })),
      page.getByRole('button', { name, exact: true }),
      page.getByRole('button', { name: 'Sign in with a passkey' }),
      page.getByRole('button', { name: 'Sign in with the local provider' }),
    ]
    for (const control of controls) {
      const box = await control.boundingBox()
      assert.ok(box && box.y >= 0 && box.y + box.height <= viewport.height, String(control))
    }
  }
})

test('demo: a password can be shown, and is hidden again when it is sent', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const { page } = await Device.open(browser, demo.url)
  const toggle = page.locator('#login').getByRole('button', { name: 'Show password' })
  const type = () => page.locator('#login-password').getAttribute('type')
  await page.locator('#login-name').fill('ada')
  await page.locator('#login-password').fill(password)
  await toggle.click()
  assert.deepEqual([await type(), await toggle.getAttribute('aria-pressed')], ['text', 'true'])
  await toggle.click()
  assert.deepEqual([await type(), await toggle.getAttribute('aria-pressed')], ['password', 'false'])
  await toggle.click()
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.locator('.field-error').waitFor()
  assert.equal(await type(), 'password')
})

test('demo: a hint says how strong a new password is', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const { page } = await Device.open(browser, demo.url)
  await page.getByRole('tab', { name: 'Create account' }).click()
  const field = page.locator('#register-password')
  const hint = page.locator(`#${await field.getAttribute('aria-describedby')}`)
  assert.match(String(await hint.textContent()), /At least 8 characters/)
  for (const [text, says] of [
    ['1234567', /^Too short/],
    ['aaaaaaaaaaaaaaaa', /^Weak/],
    ['sunshine1', /^Weak/],
    ['quiet-sea-noon', /^Good/],
    ['a quiet sea at noon, Monday', /^Strong/],
  ] as const) {
    await field.fill(text)
    assert.match(String(await hint.textContent()), says, text)
  }
})

test('demo: what the form finds wrong is shown beside each field before anything is sent', {
  skip,
}, async (t) => {
  const { device } = await openDemo(t, String(chromium))
  const { page } = device
  await page.getByRole('tab', { name: 'Create account' }).click()
  await page.locator('#register-email').fill('ada')
  await page.locator('#register-password').fill('short')
  await page.getByRole('button', { name: 'Create account' }).click()
  for (const name of ['email', 'name', 'password']) {
    const field = page.locator(`#register-${name}`)
    assert.equal(await field.getAttribute('aria-invalid'), 'true')
    const described = String(await field.getAttribute('aria-describedby'))
    assert.ok(described.split(' ').includes(`register-${name}-error`))
    assert.ok(await page.locator(`#register-${name}-error`).textContent())
  }
  assert.equal(await device.focused(), 'register-email')
  assert.deepEqual(device.takeProblems(), [])
})

test('demo: a session that ends elsewhere leads to the sign-in at the next action', {
  skip,
}, async (t) => {
  const [device, other] = await openOnTwoDevices(t, String(chromium), password)
  await device.page.reload()
  await device.page.getByRole('button', { name: 'Sign out everywhere else' }).click()
  await device.says(/Ended one other session/)
  await other.page.locator('#change-current').fill(password)
  await other.page.locator('#change-new').fill('a quite different battery')
  await other.page.getByRole('button', { name: 'Change password' }).click()
  await other.sees(/Sign in or create/)
  await other.says(/no longer signed in/)
  assert.equal(await other.page.locator('#change-current').inputValue(), '')
  // One refused request. Nothing else was sent without a session.
  assert.equal(other.takeProblems().length, 1)
})

test('demo: the page says so when the server is down, and works when it is back', {
  skip,
}, async (t) => {
  const { device } = await openDemo(t, String(chromium))
  await device.register('ada', password)
  await device.context.setOffline(true)
  await device.signIn('ada', password)
  await device.says(/cannot be reached.*OFFLINE/)
  await device.context.setOffline(false)
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
})

test('demo: the page "Requests" shows requests with their errors, and opens their bodies', {
  skip,
}, async (t) => {
  const { device } = await openDemo(t, String(chromium))
  const { page } = device
  await device.register('ada', password)
  await device.signIn('ada', 'wrong')
  await device.says(/CRUDAUTH_BAD_CREDENTIALS/)
  const requests = await device.opens(() => page.evaluate('void open("/requests")'))
  const rows = requests.page.locator('#requests li')
  const refused = rows.filter({ hasText: '/auth/login' }).filter({ hasText: '401' })
  await refused.getByText('CRUDAUTH_BAD_CREDENTIALS').first().waitFor()
  await refused.locator('summary').click()
  await refused.locator('pre').getByText('"statusCode": 401').waitFor()

  // New requests come by themselves, and what is open stays open.
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
  const done = rows.filter({ hasText: '/auth/login' }).filter({ hasText: '200' })
  await done.locator('summary').click()
  await done.locator('pre').getByText('"csrf_token": "[redacted]"').waitFor()
  assert.ok(await refused.locator('pre').isVisible())
  assert.ok(!(await requests.page.content()).includes(password))
  await requests.page.getByRole('button', { name: 'Clear' }).click()
  await requests.page.getByText('No requests yet').waitFor()
  assert.equal(await requests.focused(), 'requests-title')
})

test('demo: after a sign-in, the page leads to guarded pages only, never to another site', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const device = await Device.open(browser, `${demo.url}/dashboard`)
  await device.sees(/Sign in to see this page/)
  await device.page.getByRole('link', { name: 'Sign in' }).click()
  await device.register('ada', password)
  await device.signIn('ada', password)
  await device.sees(/Dashboard/)
  for (const target of ['https://evil.example', '//evil.example', '/docs']) {
    const other = await Device.open(browser, `${demo.url}/?then=${encodeURIComponent(target)}`)
    await other.signIn('ada', password)
    await other.sees(/Hello, ada/)
    assert.equal(new URL(other.page.url()).origin, demo.url)
  }
})

test('demo: a sign-in in one tab is seen by another one, and so is a sign-out', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const first = await Device.open(browser, demo.url)
  const second = await first.opens(() => first.page.evaluate('void open("/")'))
  await second.register('ada', password)
  await second.signIn('ada', password)
  await second.sees(/Hello, ada/)
  const comeBack = () =>
    first.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
  await comeBack()
  await first.sees(/Hello, ada/)
  await second.page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await second.sees(/Sign in/)
  await comeBack()
  await first.sees(/Sign in/)
  assert.deepEqual(first.takeProblems(), [])
})
