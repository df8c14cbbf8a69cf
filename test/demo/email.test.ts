import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { createMailbox } from '../../examples/demo/mailbox.js'
import { hostDemo } from './in-process.js'
import { startDemo, temporaryFolder } from './start.js'
import { password, type ShownMail, Visitor } from './visitor.js'

const tokenOf = ({ link }: ShownMail) => String(new URL(link).searchParams.get('token'))

test('demo: sign-up, verification, password reset, email change and revert work by the mailbox', async (t) => {
  const demo = await startDemo(t, temporaryFolder(t))
  const ada = new Visitor(demo.url)
  await ada.register('ada')
  const welcome = await ada.mail('verify_email', 'ada@example.com')
  assert.ok(welcome.link.startsWith(`${demo.url}/verify-email?token=`))
  assert.ok(welcome.text.includes(welcome.link))
  await ada.login('ada')
  assert.equal((await ada.get('/members')).body.code, 'CRUDAUTH_NOT_VERIFIED')
  assert.equal(
    (await ada.post('/auth/email/verify-confirm', { token: tokenOf(welcome) })).status,
    200,
  )
  assert.equal((await ada.get('/members')).body.detail, 'Welcome, ada@example.com')
  assert.equal((await ada.get('/dashboard')).body.verified, true)
  const again = await ada.post('/auth/email/verify-confirm', { token: tokenOf(welcome) })
  assert.equal(again.body.code, 'CRUDAUTH_TOKEN_INVALID_OR_USED')

  await ada.post('/auth/password/reset-request', { email: 'ada@example.com', redirect_to: '/docs' })
  const reset = await ada.mail('reset_password', 'ada@example.com')
  const next = 'another battery altogether'
  const done = await ada.post('/auth/password/reset-confirm', {
    token: tokenOf(reset),
    new_password: next,
  })
  assert.deepEqual([done.status, done.body.redirect_to], [200, '/docs'])
  assert.equal((await ada.get('/auth/me')).status, 401)
  await ada.mail('password_changed', 'ada@example.com')
  assert.equal((await ada.login('ada', password)).status, 401)
  assert.equal((await ada.login('ada', next)).status, 200)

  await ada.post('/auth/email/change-request', { new_email: 'ada@example.org', password: next })
  const change = await ada.mail('change_email', 'ada@example.org')
  assert.equal(
    (await ada.post('/auth/email/change-confirm', { token: tokenOf(change) })).status,
    200,
  )
  assert.equal((await ada.get('/auth/me')).body.email, 'ada@example.org')
  const notice = await ada.mail('email_changed', 'ada@example.com')
  assert.ok(notice.link.startsWith(`${demo.url}/revert-email?token=`))
  assert.equal(
    (await ada.post('/auth/email/change-revert', { token: tokenOf(notice) })).status,
    200,
  )
  assert.equal((await ada.get('/auth/me')).status, 401)
  await ada.mail('reset_password', 'ada@example.com')
  assert.equal((await ada.login('ada@example.com', next)).status, 200)

  assert.equal(await demo.stop(), 0)
  for (const mail of [welcome, reset, change, notice]) {
    assert.ok(!demo.output().includes(tokenOf(mail)), `the token of ${mail.kind} is in the log`)
  }
  assert.ok(!demo.output().includes('/mailbox/messages 200'), 'the mailbox fills the log')
})

test('demo: a sign-up with a known address gets the same response and notifies the owner', async (t) => {
  const demo = await hostDemo(t)
  const visitor = new Visitor(demo.url)
  const first = await visitor.register('ada')
  const second = await visitor.post('/auth/register', {
    email: 'ADA@example.com',
    username: 'eve',
    password,
  })
  assert.deepEqual([second.status, second.body], [first.status, first.body])
  const told = await visitor.mail('existing_account', 'ada@example.com')
  assert.equal(new URL(told.link).search, '')
})

test('mailbox: HTML messages are sandboxed without scripts, and links open in new windows', async (t) => {
  const demo = await hostDemo(t)
  const visitor = new Visitor(demo.url)
  await visitor.register('ada')
  const { id } = await visitor.mail('verify_email', 'ada@example.com')
  const { status, headers, body } = await visitor.get(`/mailbox/messages/${id}/html`)
  assert.equal(status, 200)
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal(headers.get('referrer-policy'), 'no-referrer')
  const policy = String(headers.get('content-security-policy'))
  assert.match(policy, /^default-src 'none'/)
  assert.match(policy, /sandbox allow-popups allow-popups-to-escape-sandbox$/)
  assert.doesNotMatch(policy, /script|allow-same-origin/)
  assert.match(body, /<base target="_blank">/)
  assert.equal((await visitor.get('/mailbox/messages/999/html')).body.code, 'CRUDAUTH_NOT_FOUND')
})

test('mailbox: requests with a foreign Host header are 403 (DNS rebinding)', async (t) => {
  const demo = await startDemo(t, temporaryFolder(t))
  const status = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${demo.url}/mailbox/messages`, { headers: { host } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      asked.on('error', reject).end()
    })
  assert.equal(await status(`localhost:${demo.port}`), 200)
  assert.equal(await status(`127.0.0.1:${demo.port}`), 200)
  assert.equal(await status(`rebound.example:${demo.port}`), 403)
  assert.equal(await status('127.0.0.1.rebound.example'), 403)
})

test('demo: email links start with PUBLIC_URL', async (t) => {
  const demo = await hostDemo(t, { PUBLIC_URL: 'https://demo.example/app/' })
  const visitor = new Visitor(demo.url)
  await visitor.register('ada')
  const { link } = await visitor.mail('verify_email', 'ada@example.com')
  assert.ok(link.startsWith('https://demo.example/app/verify-email?token='), link)
})

test('mailbox: keeps the newest 50 messages and refuses to start in production', async () => {
  const { mails, sender } = createMailbox({})
  for (let n = 1; n <= 60; n += 1) {
    const context = { link: 'x', recipient: 'x', expiresInSeconds: 1 }
    await sender.send({
      to: 'ada@example.com',
      subject: `${n}`,
      text: 'x',
      kind: 'verify_email',
      context,
    })
  }
  assert.deepEqual([mails.length, mails[0]?.subject, mails[49]?.subject], [50, '60', '11'])
  assert.throws(() => createMailbox({ NODE_ENV: 'production' }), /production/)
})
