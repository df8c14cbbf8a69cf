import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { hostDemo } from '../demo/in-process.js'
import { chromiumPath, Device, openBrowser, screenshotFolder } from './chromium.js'
import { openDemo } from './open-demo.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'
const changed = 'a quite different battery'

test('demo: sign-up, two devices, revoking one, sudo mode, password change and sign-out', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const home = await Device.open(browser, demo.url, { viewport: { width: 1280, height: 900 } })
  const { page } = home

  await home.sees(/Sign in or create an account/)
  await page.screenshot({ path: shot('1-first-page') })
  await home.register('ada', password)
  await home.signIn('ada', password, { remember: true })
  await home.sees(/Hello, ada/)
  assert.equal(await home.focused(), 'greeting')
  await page.locator('#you').getByText('ada@example.com').waitFor()
  assert.deepEqual(home.takeProblems(), [])

  const away = await Device.open(browser, demo.url)
  await away.signIn('ada@example.com', password)
  await away.sees(/Hello, ada/)
  assert.deepEqual(away.takeProblems(), [])

  await page.reload()
  await home.sees(/Hello, ada/)
  const devices = page.locator('#devices li')
  assert.equal(await devices.count(), 2)
  assert.equal(await devices.filter({ hasText: 'this device' }).count(), 1)
  assert.equal(await devices.filter({ hasText: /Chrom\w+ on / }).count(), 2)
  await page.screenshot({ path: shot('2-two-devices'), fullPage: true })

  await devices.getByRole('button', { name: /^End the session/ }).click()
  await home.says(/Ended the session/)
  assert.equal(await devices.count(), 1)
  assert.deepEqual(home.takeProblems(), [])
  await away.page.reload()
  await away.sees(/Sign in/)
  await away.says(/no longer signed in/)
  // Several requests were in flight. The browser logs each 401 to the console.
  await away.page.waitForLoadState('networkidle')
  assert.ok(away.takeProblems().every((problem) => /status of 401/.test(problem)))
  // A 401 clears no cookies. The page deletes the one that scripts can read.
  assert.deepEqual((await away.context.cookies()).map(({ name }) => name).sort(), [
    '__Host-crudauth_device',
    '__Host-crudauth_session',
    '__Host-demo_browser',
  ])
  // Without that cookie, the page sends no request.
  await away.page.reload()
  await away.sees(/Sign in/)
  assert.deepEqual(away.takeProblems(), [])

  await away.signIn('ada', password)
  await away.sees(/Hello, ada/)
  await page.getByLabel('Current password').fill(password)
  await page.getByLabel('New password').fill(changed)
  await page.getByRole('button', { name: 'Change password' }).click()
  await home.says(/Password changed/)
  await page.reload()
  await home.sees(/Hello, ada/)
  assert.equal(await devices.count(), 1)
  assert.deepEqual(home.takeProblems(), [])
  await away.page.reload()
  await away.sees(/Sign in/)

  await page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await home.says(/Signed out/)
  await home.sees(/Sign in/)
  await page.reload()
  await home.sees(/Sign in/)
  assert.deepEqual(home.takeProblems(), [])
  await home.signIn('ada', password)
  await home.says(/CRUDAUTH_BAD_CREDENTIALS/)
  await home.signIn('ada', changed)
  await home.sees(/Hello, ada/)
  assert.ok(statSync(shot('2-two-devices')).size > 10_000)
})

for (const [name, env, host, prefix] of [
  ['on localhost', {}, 'localhost', '__Host-'],
  ['on 127.0.0.1', {}, '127.0.0.1', '__Host-'],
  ['with COOKIE_SECURE=0', { COOKIE_SECURE: '0' }, 'localhost', ''],
] as const) {
  test(`demo ${name}: cookies have the expected attributes, and scripts can read no secret`, {
    skip,
  }, async (t) => {
    const demo = await hostDemo(t, env)
    const browser = await openBrowser(t, String(chromium))
    const device = await Device.open(browser, demo.url.replace('localhost', host))
    await device.register('ada', password)
    await device.signIn('ada', password)
    await device.sees(/Hello, ada/)
    const kept = (await device.context.cookies()).map(
      ({ name, httpOnly, secure, sameSite, path, domain, expires }) => ({
        name,
        httpOnly,
        secure,
        sameSite,
        path,
        domain,
        lasts: expires !== -1,
      }),
    )
    const common = { secure: prefix !== '', sameSite: 'Lax', path: '/', domain: host }
    assert.deepEqual(
      kept.sort((a, b) => a.name.localeCompare(b.name)),
      [
        { name: `${prefix}crudauth_device`, httpOnly: true, lasts: true, ...common },
        { name: `${prefix}crudauth_session`, httpOnly: true, lasts: false, ...common },
        { name: `${prefix}demo_browser`, httpOnly: true, lasts: false, ...common },
        { name: 'csrf_token', httpOnly: false, lasts: false, ...common },
      ].sort((a, b) => a.name.localeCompare(b.name)),
    )
    const readable = String(await device.page.evaluate('document.cookie'))
    assert.match(readable, /^csrf_token=[\w-]+$/)
    const stored = await device.page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }])',
    )
    assert.equal(stored, '[{},{}]')
    assert.equal(await device.page.evaluate('indexedDB.databases().then((all) => all.length)'), 0)
    assert.ok(!(await device.page.content()).includes(password))
    assert.deepEqual(device.takeProblems(), [])
  })
}

test('demo: an error shows its code and focuses the field it is about', { skip }, async (t) => {
  const { device } = await openDemo(t, String(chromium))
  const { page } = device
  const refused = async (email: string, username: string, secret: string) => {
    await page.getByRole('tab', { name: 'Create account' }).click()
    await page.locator('#register-email').fill(email)
    await page.locator('#register-name').fill(username)
    await page.locator('#register-password').fill(secret)
    await page.keyboard.press('Enter')
    const error = page.locator('.field-error').filter({ hasText: 'CRUDAUTH_' })
    await error.waitFor()
    const field = page.locator(':focus')
    const described = String(await field.getAttribute('aria-describedby')).split(' ')
    assert.ok(described.includes(String(await error.getAttribute('id'))), 'read with the field')
    return [await error.locator('code').textContent(), await device.focused()]
  }
  await device.register('ada', password)
  assert.deepEqual(await refused('eve@example.com', 'ada', password), [
    'CRUDAUTH_DUPLICATE',
    'register-name',
  ])
  assert.deepEqual(await refused('eve@example.com', 'eve', 'password1'), [
    'CRUDAUTH_PASSWORD_TOO_COMMON',
    'register-password',
  ])
  assert.equal(await page.locator('#register [aria-invalid]').count(), 1)
  await page.locator('#register-password').fill('another one')
  assert.equal(await page.locator('#register .field-error').count(), 0, 'gone when it is mended')
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    await device.signIn('ada', `wrong ${attempt}`)
    await device.says(/CRUDAUTH_BAD_CREDENTIALS/)
  }
  await device.signIn('ada', password)
  await device.says(/Too many wrong passwords or codes\. Try again in \d+ (second|minute)s?\./)
  await device.says(/CRUDAUTH_LOCKED_OUT/)
})

test('demo: the page fits a phone screen, in light and dark', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      const device = await Device.open(browser, demo.url, {
        viewport: { width, height: 844 },
        colorScheme,
      })
      const { page } = device
      const name = `${colorScheme}-${width}`
      await device.sees(/Sign in/)
      await page.screenshot({ path: shot(`${name}-out`), fullPage: true })
      assert.equal(await device.overflow(), 0)
      await device.register(name, password)
      await device.signIn(name, 'wrong')
      await device.says(/CRUDAUTH_BAD_CREDENTIALS/)
      await page.screenshot({ path: shot(`${name}-error`) })
      await device.signIn(name, password)
      await device.sees(/Hello/)
      await device.says(/Signed in/)
      await page.screenshot({ path: shot(`${name}-in`), fullPage: true })
      assert.equal(await device.overflow(), 0)
      await device.context.close()
    }
  }
})

test('demo: the OpenAPI page sends the CSRF token with its requests', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const device = await Device.open(browser, demo.url)
  await device.register('ada', password)
  await device.signIn('ada', password)
  await device.sees(/Hello, ada/)
  const { page } = device
  await page.goto(`${demo.url}/docs`)
  const route = page.locator('#operations-session-logout')
  await route.locator('.opblock-summary-control').click()
  await route.getByRole('button', { name: 'Try it out' }).click()
  await route.getByRole('button', { name: 'Execute' }).click()
  await route.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor()
  await page.screenshot({ path: shot('docs'), fullPage: true })
  assert.deepEqual(device.takeProblems(), [])
  await page.goto(demo.url)
  await device.sees(/Sign in/)
})
