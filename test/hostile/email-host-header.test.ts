import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { tokenOf } from '../helpers/mailbox.js'

const hostile = {
  host: 'evil.example',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'http',
  'x-forwarded-for': '192.0.2.66',
  'x-forwarded-prefix': '/evil',
  'x-original-url': 'https://evil.example/',
  forwarded: 'host=evil.example;proto=http',
  origin: 'https://evil.example',
  referer: 'https://evil.example/',
}

for (const backend of backends) {
  test(`${backend.name}: email links: Host and forwarding headers never change the origin`, async (t) => {
    const made = await mailApp(t, backend, { fastify: { trustProxy: true } })
    const { app, mail } = made
    const client = new Client(app, '', { headers: hostile })
    // A foreign origin may send these requests, but can't sign in.
    answers(await client.register('ann'), 202)
    answers(
      await client.post('/register', { email: addressOf('ann'), username: 'eve', password }),
      202,
    )
    answers(await client.post('/email/verify-request', { email: addressOf('ann') }), 202)
    await mail.next(addressOf('ann'), 'verify_email', 2)
    const quiet = new Client(app)
    answers(await quiet.login('ann'), 200)
    for (const [name, value] of quiet.cookies) client.cookies.set(name, value)
    client.csrf = quiet.csrf
    answers(
      await client.post('/email/change-request', { new_email: 'new@example.com', password }),
      202,
    )
    const change = await mail.token('new@example.com', 'change_email')
    const confirmed = await client.post('/email/change-confirm', { token: change })
    answers(confirmed, 200)
    answers(
      await client.post('/password/reset-request', {
        email: 'new@example.com',
        redirect_to: '/on',
      }),
      202,
    )
    const reset = await mail.token('new@example.com', 'reset_password')
    answers(await client.post('/password/reset-confirm', { token: reset, new_password: next }), 200)
    await mail.next('new@example.com', 'password_changed')
    await mail.next(addressOf('ann'), 'email_changed')
    await mail.next(addressOf('ann'), 'existing_account')

    assert.deepEqual([...new Set(mail.messages.map(({ kind }) => kind))].sort(), [
      'change_email',
      'email_changed',
      'existing_account',
      'password_changed',
      'reset_password',
      'verify_email',
    ])
    for (const message of mail.messages) {
      assert.equal(new URL(message.context.link).origin, 'https://app.example.com', message.kind)
      assert.doesNotMatch(
        `${message.subject} ${message.text} ${message.html}`,
        /evil|192\.0\.2\.66/,
        message.kind,
      )
      for (const [url] of `${message.text} ${message.html}`.matchAll(/https?:\/\/[^\s"<]+/g)) {
        assert.equal(new URL(url).origin, 'https://app.example.com', message.kind)
      }
    }
    assert.notEqual(tokenOf(await mail.next(addressOf('ann'), 'email_changed')), '')
  })
}
