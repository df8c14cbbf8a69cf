import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { addMailbox, createMailbox } from '../../examples/demo/mailbox.js'
import { addPages } from '../../examples/demo/pages.js'
import { hostDemo } from '../demo/in-process.js'
import { blocksOf, page as documentOf } from '../docs/documents.js'
import { chromiumPath, Device, openBrowser, screenshotFolder } from './chromium.js'

const chromium = chromiumPath()
const skip = chromium ? false : 'needs Chromium'
const password = 'correct horse battery'
const changed = 'a quite different battery'

/** Opens the newest message with this subject and follows the button in its HTML. */
async function follow(
  mailbox: Device,
  subject: RegExp,
  button: string,
  screenshot: string,
): Promise<Device> {
  const { page } = mailbox
  await page.locator('#mails button', { hasText: subject }).first().click()
  await page.getByRole('heading', { level: 2, name: subject }).waitFor()
  const link = page.frameLocator('#html').getByRole('link', { name: button, exact: true })
  await link.waitFor()
  await page.screenshot({ path: screenshot, fullPage: true })
  return mailbox.opens(() => link.click())
}

test('demo: sign-up, verification, password reset, email change and revert, by clicking the links', {
  skip,
}, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  const ada = await Device.open(browser, demo.url, { viewport: { width: 1280, height: 900 } })
  const { page } = ada
  await ada.register('ada', password)
  await page.screenshot({ path: shot('mail-1-registered'), fullPage: true })
  await ada.signIn('ada', password)
  await ada.sees(/Hello, ada/)
  await page.locator('#you').getByText('not confirmed').waitFor()
  await page.screenshot({ path: shot('mail-2-not-confirmed'), fullPage: true })

  const mailbox = await ada.opens(async () => {
    await page.evaluate('void open("/mailbox")')
  })
  const verify = await follow(
    mailbox,
    /Confirm your email/,
    'Confirm the address',
    shot('mail-3-verify'),
  )
  await verify.sees(/Confirm your address/)
  assert.equal(
    await verify.page.evaluate('document.referrer'),
    '',
    'the mailbox is not told to the page, nor the page to others',
  )
  await verify.page.screenshot({ path: shot('mail-4-verify-page') })
  await verify.page.getByRole('button', { name: 'Confirm the address' }).click()
  await verify.says(/address is confirmed/)
  await verify.page.screenshot({ path: shot('mail-5-verified') })
  await verify.page.getByRole('link', { name: 'Continue' }).click()
  await verify.sees(/Hello, ada/)
  await verify.page.locator('#you').getByText('confirmed', { exact: true }).waitFor()
  assert.equal(await verify.page.locator('#verify').isVisible(), false)
  await verify.page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await verify.sees(/Sign in/)
  assert.deepEqual(ada.takeProblems(), [])

  await verify.page.getByRole('link', { name: 'Forgot password?' }).click()
  await verify.sees(/Forgot your password/)
  await verify.page.getByLabel('Email').fill('ada@example.com')
  await verify.page.getByRole('button', { name: 'Send the link' }).click()
  await verify.says(/If ada@example.com has an account/)
  await verify.page.screenshot({ path: shot('mail-6-forgotten') })
  const reset = await follow(
    mailbox,
    /Reset your password/,
    'Choose a new password',
    shot('mail-7-reset'),
  )
  await reset.sees(/Set a new password/)
  await reset.page.getByLabel('New password', { exact: true }).fill('password1')
  await reset.page.getByRole('button', { name: 'Set password' }).click()
  await reset.says(/CRUDAUTH_PASSWORD_TOO_COMMON/)
  assert.equal(await reset.focused(), 'confirm-password')
  await reset.page.screenshot({ path: shot('mail-8-reset-page') })
  assert.equal(ada.takeProblems().length, 1, 'a refused password, and nothing else')
  await reset.page.getByLabel('New password', { exact: true }).fill(changed)
  await reset.page.getByRole('button', { name: 'Set password' }).click()
  await reset.sees(/Your password is set/)
  await reset.page.screenshot({ path: shot('mail-9-reset-done') })
  await reset.page.getByRole('link', { name: 'Sign in' }).click()
  await reset.sees(/Sign in or create an account/)
  await reset.signIn('ada', changed)
  await reset.sees(/Hello, ada/)

  await reset.page.locator('#move-details summary').click()
  await reset.page.getByLabel('New email', { exact: true }).fill('ada@example.org')
  await reset.page
    .locator('#move')
    .getByLabel('Your password', { exact: true })
    .fill('not it at all')
  await reset.page.getByRole('button', { name: 'Change email' }).click()
  await reset.says(/not your password/)
  assert.equal(await reset.focused(), 'move-password')
  assert.equal(ada.takeProblems().length, 1)
  await reset.page.locator('#move').getByLabel('Your password', { exact: true }).fill(changed)
  await reset.page.getByRole('button', { name: 'Change email' }).click()
  await reset.says(/If ada@example.org is free/)
  await reset.page.screenshot({ path: shot('mail-10-change'), fullPage: true })
  const change = await follow(
    mailbox,
    /Confirm your new email/,
    'Confirm the new address',
    shot('mail-11-change'),
  )
  await change.sees(/Confirm your new address/)
  await change.page.getByRole('button', { name: 'Use the new address' }).click()
  await change.says(/has its new address/)
  await change.page.getByRole('link', { name: 'Continue' }).click()
  await change.page.locator('#you').getByText('ada@example.org').waitFor()

  const revert = await follow(
    mailbox,
    /Your email address .* was changed/,
    'Undo the change',
    shot('mail-12-changed'),
  )
  await revert.sees(/Undo the change/)
  await revert.page.screenshot({ path: shot('mail-13-revert-page') })
  await revert.page.getByRole('button', { name: 'Take the old address back' }).click()
  await revert.says(/previous address was restored/)
  await revert.page.getByRole('link', { name: 'Open the mailbox' }).waitFor()
  await revert.page.screenshot({ path: shot('mail-14-reverted') })
  assert.deepEqual(ada.takeProblems(), [])
  await revert.page.getByRole('link', { name: 'Continue' }).click()
  await revert.sees(/Sign in/)
  await revert.says(/no longer signed in/)
  await revert.signIn('ada@example.com', changed)
  await revert.sees(/Hello, ada/)
  await revert.page.locator('#you').getByText('ada@example.com').waitFor()
})

test('demo: a link with an invalid token, or without one, shows an error', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  for (const path of ['verify-email', 'confirm-email-change', 'revert-email']) {
    const device = await Device.open(
      browser,
      `${demo.url}/${path}?token=AAAAAAAAAAAAAAAAAAAAAA&redirect_to=https://evil.example`,
    )
    await device.page.locator('#redeem').click()
    await device.sees(/This link no longer works/)
    assert.equal(await device.focused(), 'title')
    const text = await device.page.locator('#text').textContent()
    assert.match(String(text), /has been used, has expired.*CRUDAUTH_TOKEN_INVALID_OR_USED/)
    assert.equal(await device.page.locator('#redeem').isVisible(), false)
    // It leads to the account, not to the address in the URL.
    assert.equal(await device.page.locator('#next').getAttribute('href'), '/')
    assert.equal(device.page.url(), `${demo.url}/${path}`, 'the page clears its address')
    await device.page.screenshot({ path: shot(`mail-15-${path}`) })
    await device.page.goto(`${demo.url}/${path}`)
    await device.sees(/This link is not complete/)
    assert.equal(await device.page.locator('#redeem').isVisible(), false)
  }
})

test('mailbox: hostile HTML in an email runs no script, loads nothing and cannot leave its frame', {
  skip,
}, async (t) => {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const mailbox = createMailbox({})
  const asked: string[] = []
  app.addHook('onRequest', async ({ url }) => void asked.push(url))
  await app.register(addPages)
  await app.register((scope) => addMailbox(scope, mailbox))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const link = `${url}/verify-email?token=x`
  await mailbox.sender.send({
    to: 'ada@example.com',
    subject: '<b>Subject</b>',
    text: '<b>Text</b>',
    html: `<html><head><title>x</title></head><body><p>Hello</p>
      <img src="${url}/seen.png" onerror="parent.document.title='taken'"><script>parent.document.title = 'taken'</script>
      <script src="${url}/seen.js"></script><link rel="stylesheet" href="${url}/seen.css"><iframe src="${url}/seen.html"></iframe>
      <form action="${url}/seen" method="post"><button>Send</button></form><a href="${url}/go" target="_top">Away</a></body></html>`,
    kind: 'verify_email',
    context: { link, recipient: 'ada@example.com', expiresInSeconds: 1 },
  })

  const browser = await openBrowser(t, String(chromium))
  const device = await Device.open(browser, `${url}/mailbox`)
  const { page } = device
  const frame = page.frameLocator('#html')
  await frame.getByText('Hello').waitFor()
  await frame.getByRole('button', { name: 'Send' }).click()
  await frame.getByRole('link', { name: 'Away' }).click()
  await page.getByRole('heading', { level: 2, name: '<b>Subject</b>' }).waitFor()
  assert.equal(await page.locator('#text').textContent(), '<b>Text</b>')
  assert.match(await page.title(), /^Mailbox/)
  assert.equal(page.url(), `${url}/mailbox`)
  // This later request ensures that any request caused by the clicks has arrived.
  await Promise.all([
    page.waitForResponse(/\/html$/),
    page.getByRole('button', { name: 'Subject' }).click(),
  ])
  assert.deepEqual(
    asked.filter((path) => path.includes('seen') || path.includes('go')),
    [],
  )
  assert.ok(device.takeProblems().length > 0, 'the browser has refused something')
})

test('docs/email.md: the verification page redeems the token on a click and follows redirect_to', {
  skip,
}, async (t) => {
  const [block] = blocksOf(documentOf('docs/email.md')).filter(
    ({ marks }) => marks.name === 'verify-page',
  )
  assert.ok(block)
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  const posted: unknown[] = []
  const answers = [
    { code: 400, body: { message: 'The token is invalid, expired or used' } },
    { code: 200, body: { detail: 'Verified', redirect_to: '/welcome' } },
  ]
  app.get('/verify-email', async (_request, reply) => reply.type('text/html').send(block.code))
  app.get('/welcome', async (request, reply) =>
    reply.type('text/html').send(`<h1>from ${request.headers.referer}</h1>`),
  )
  app.post('/email/verify-confirm', async (request, reply) => {
    posted.push(request.body)
    const answer = answers[posted.length - 1]
    return reply.code(answer?.code ?? 500).send(answer?.body)
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const browser = await openBrowser(t, String(chromium))
  const device = await Device.open(
    browser,
    `${url}/verify-email?token=secret&redirect_to=https://evil.example`,
  )
  assert.deepEqual(posted, [], 'opening it redeems nothing')
  await device.page.getByRole('button', { name: 'Confirm' }).click()
  await device.says(/invalid, expired or used/)
  await device.page.getByRole('button', { name: 'Confirm' }).click()
  await device.sees(/from undefined/)
  assert.equal(device.page.url(), `${url}/welcome`)
  assert.deepEqual(posted, [{ token: 'secret' }, { token: 'secret' }])
})

test('mailbox and forms: fit a phone screen, in light and dark', { skip }, async (t) => {
  const demo = await hostDemo(t)
  const browser = await openBrowser(t, String(chromium))
  const shot = screenshotFolder(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    const device = await Device.open(browser, demo.url, {
      viewport: { width: 390, height: 844 },
      colorScheme,
    })
    await device.register(colorScheme, password)
    for (const path of [
      'mailbox',
      'verify-email?token=x',
      'reset-password',
      'reset-password?token=x',
    ]) {
      await device.page.goto(`${demo.url}/${path}`)
      await device.page.getByRole('heading', { level: 1 }).first().waitFor()
      if (path === 'mailbox')
        await device.page.frameLocator('#html').getByRole('link').first().waitFor()
      await device.page.screenshot({
        path: shot(`mail-${colorScheme}-${path.replace('?token=x', '-token')}`),
        fullPage: true,
      })
      assert.equal(await device.overflow(), 0, path)
    }
    assert.deepEqual(device.takeProblems(), [])
    await device.context.close()
  }
})
