import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { limitsOff, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'

const from = (app: Client['app'], remoteAddress: string) => new Client(app, '', { remoteAddress })

for (const backend of backends) {
  describe(`rate limits of recovery, ${backend.name}`, () => {
    test('recipient limit: five messages of a kind an hour across IP addresses, with the same response', async (t) => {
      const { app, join, mail, users } = await mailApp(t, backend)
      await join('ann')
      await users.create({ email: addressOf('raw'), username: 'raw', hashedPassword: null })
      const seen = new Set<string>()
      for (const [url, kind, name] of [
        ['/password/reset-request', 'reset_password', 'ann'],
        ['/email/verify-request', 'verify_email', 'raw'],
      ] as const) {
        for (let i = 0; i < 9; i++) {
          const response = await from(app, `192.0.2.${i}`).post(url, { email: addressOf(name) })
          answers(response, 202)
          seen.add(`${url} ${response.body}`)
        }
        await mail.next(addressOf(name), kind, 5)
        await settle()
        assert.equal(mail.to(addressOf(name), kind).length, 5, kind)
      }
      assert.equal(seen.size, 2)
      answers(
        await from(app, '192.0.2.1').post('/email/verify-request', { email: addressOf('ann') }),
        202,
      )
    })

    test('recipient limit: spellings of one address share it; other addresses have their own', async (t) => {
      const { anyone, join, mail } = await mailApp(t, backend)
      await join('ann')
      await join('bob')
      for (const email of [
        'ann@example.com',
        'ANN@example.com',
        ' ann@example.com',
        'ann@EXAMPLE.com',
        'ann\uff20example.com',
        'Ann@Example.Com',
        'aNN@example.com',
      ]) {
        answers(await anyone.post('/password/reset-request', { email }), 202)
      }
      answers(await anyone.post('/password/reset-request', { email: addressOf('bob') }), 202)
      await mail.next(addressOf('bob'), 'reset_password')
      await settle()
      assert.equal(mail.to(addressOf('ann'), 'reset_password').length, 5)
    })

    test('recipient limit: applies to existing_account and change_email', async (t) => {
      const { anyone, join, mail } = await mailApp(t, backend)
      await join('ann')
      const bob = await join('bob')
      for (let i = 0; i < 7; i++) {
        answers(
          await anyone.post('/register', {
            email: addressOf('ann'),
            username: `eve${i}`,
            password,
          }),
          202,
        )
        answers(
          await bob.post('/email/change-request', { new_email: 'victim@example.com', password }),
          202,
        )
      }
      await mail.next(addressOf('ann'), 'existing_account', 5)
      await mail.next('victim@example.com', 'change_email', 5)
      await settle()
      assert.equal(mail.to(addressOf('ann'), 'existing_account').length, 5)
      assert.equal(mail.to('victim@example.com', 'change_email').length, 5)
    })

    test('recipient limit: can be changed and switched off', async (t) => {
      for (const [recipient, expected] of [
        [{ max: 2, windowSeconds: 60 }, 2],
        [false, 8],
      ] as const) {
        const { anyone, join, mail } = await mailApp(t, backend, {
          auth: { rateLimits: { ...limitsOff, recipient } },
        })
        await join('ann')
        for (let i = 0; i < 8; i++)
          answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
        await mail.next(addressOf('ann'), 'reset_password', expected)
        await settle()
        assert.equal(mail.to(addressOf('ann'), 'reset_password').length, expected)
      }
    })

    test('recipient limit: tokens sent before it was reached still work', async (t) => {
      const { anyone, app, join, mail } = await mailApp(t, backend)
      await join('ann')
      for (let i = 0; i < 7; i++)
        answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
      const token = await mail.token(addressOf('ann'), 'reset_password', 5)
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
      answers(await new Client(app).login('ann', next), 200)
    })

    test('request routes: five requests an hour per IP address, reported in the headers', async (t) => {
      const { app, mail } = await mailApp(t, backend, { auth: { rateLimits: {} } })
      for (const url of ['/email/verify-request', '/password/reset-request']) {
        for (let i = 0; i < 5; i++) {
          const response = await from(app, '192.0.2.1').post(url, {
            email: addressOf(`nobody${i}`),
          })
          answers(response, 202)
          assert.equal(response.headers['x-ratelimit-limit'], '5')
          assert.equal(response.headers['x-ratelimit-remaining'], String(4 - i))
          assert.ok(Number(response.headers['x-ratelimit-reset']) > 3500)
        }
        const known = await from(app, '192.0.2.1').post(url, { email: addressOf('nobody') })
        refusesOwn(known, 'CRUDAUTH_RATE_LIMITED')
        assert.ok(Number(known.headers['retry-after']) > 3500)
        assert.equal(known.headers['x-ratelimit-remaining'], '0')
        answers(await from(app, '192.0.2.2').post(url, { email: addressOf('nobody') }), 202)
      }
      assert.deepEqual(mail.messages, [])
    })

    test('POST /email/change-request: three attempts an hour per user, including wrong passwords', async (t) => {
      const { app, join } = await mailApp(t, backend, { auth: { rateLimits: { register: false } } })
      const ann = await join('ann')
      const bob = await join('bob')
      const ask = (client: Client, secret: string, remoteAddress: string) =>
        client.post(
          '/email/change-request',
          { new_email: 'new@example.com', password: secret },
          { remoteAddress },
        )
      for (let i = 0; i < 3; i++) {
        const response = await ask(ann, 'wrong password', `192.0.2.${i}`)
        refusesOwn(response, 'CRUDAUTH_WRONG_PASSWORD')
        assert.equal(response.headers['x-ratelimit-limit'], '3')
      }
      refusesOwn(await ask(ann, password, '192.0.2.9'), 'CRUDAUTH_RATE_LIMITED', [password])
      answers(await ask(bob, password, '192.0.2.9'), 202)
      assert.equal((await ann.get('/me')).statusCode, 200)
      assert.ok(app)
    })

    test('POST /password/reset-confirm: wrong tokens are not rate limited', async (t) => {
      const { anyone, join, ask } = await mailApp(t, backend, {
        auth: { rateLimits: { register: false } },
      })
      await join('ann')
      const token = await ask('reset', 'ann')
      for (let i = 0; i < 40; i++) {
        const wrong = `${i}`.padStart(22, 'A')
        refusesOwn(
          await anyone.post('/password/reset-confirm', { token: wrong, new_password: next }),
          'CRUDAUTH_TOKEN_INVALID_OR_USED',
        )
      }
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
    })
  })
}
