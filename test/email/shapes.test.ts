import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { type CrudAuthOptions, type DeliveryIntent, memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { next } from '../helpers/email.js'
import { Mailbox, settle } from '../helpers/mailbox.js'

const phone = '+4915112345678'
const base = ['email', 'username', 'hashedPassword', 'isActive', 'tokenVersion', 'emailVerified']

/** A channel that collects its messages. */
function pocket() {
  const intents: DeliveryIntent[] = []
  return {
    intents,
    channel: { name: 'sms', deliver: (intent: DeliveryIntent) => void intents.push(intent) },
    async next(kind: string, count = 1): Promise<DeliveryIntent> {
      for (let tries = 0; tries < 1000; tries++) {
        const found = intents.filter((intent) => intent.kind === kind)
        if (found.length >= count) return found.at(-1) as DeliveryIntent
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      throw new Error(`no ${kind} came`)
    },
  }
}

const phoneUsers = () =>
  memoryUsers({ fields: [...base, 'phone', 'phoneVerified'], unique: ['phone'] })

const urls = {
  verify: ['/email/verify-request', '/email/verify-confirm'],
  reset: ['/password/reset-request', '/password/reset-confirm'],
  change: ['/email/change-request', '/email/change-confirm', '/email/change-revert'],
}

/** Which of the routes are mounted. */
async function mounted(
  t: Parameters<typeof build>[0],
  auth: Partial<CrudAuthOptions>,
): Promise<string[]> {
  const app = await build(t, { auth })
  const all = Object.values(urls).flat()
  return all.filter((url) => app.hasRoute({ method: 'POST', url }))
}

describe('mounted email routes', () => {
  const { channel } = pocket()

  test('all routes, for an email with a verified flag', async (t) => {
    assert.deepEqual(
      await mounted(t, { email: new Mailbox().options() }),
      Object.values(urls).flat(),
    )
  })

  test('none without delivery, none without a recovery field', async (t) => {
    assert.deepEqual(await mounted(t, {}), [])
    assert.deepEqual(
      await mounted(t, { email: new Mailbox().options(), identity: { recovery: null } }),
      [],
    )
    assert.deepEqual(await mounted(t, { channels: [channel], identity: { recovery: null } }), [])
  })

  test('no verification routes if the user model has no verified flag', async (t) => {
    const users = memoryUsers({ fields: ['email', 'username', 'hashedPassword'] })
    assert.deepEqual(await mounted(t, { users, email: new Mailbox().options() }), [
      ...urls.reset,
      ...urls.change,
    ])
  })

  test('no change routes if the user model has no email', async (t) => {
    const users = memoryUsers({
      fields: ['username', 'hashedPassword', 'phone', 'phoneVerified'],
      unique: ['phone'],
    })
    const identity = { login: ['username'], recovery: 'phone' }
    assert.deepEqual(await mounted(t, { users, identity, channels: [channel] }), [
      ...urls.verify,
      ...urls.reset,
    ])
  })

  test('all routes, including changes of address, if the recovery field is a phone', async (t) => {
    const auth = { users: phoneUsers(), identity: { recovery: 'phone' }, channels: [channel] }
    assert.deepEqual(await mounted(t, auth), Object.values(urls).flat())
  })

  test('requesting the email group without its requirements is a configuration error', async (t) => {
    for (const auth of [{}, { email: new Mailbox().options(), identity: { recovery: null } }]) {
      await assert.rejects(build(t, { auth: { ...auth, routes: ['email'] } }), {
        code: 'CRUDAUTH_CONFIG',
      })
    }
  })
})

for (const backend of backends) {
  describe(`other recovery fields, ${backend.name}`, () => {
    const byPhone = () => ({
      ...backend.options(),
      users: phoneUsers(),
      identity: { login: ['username'], recovery: 'phone' },
      registration: { extraFields: ['phone'] },
    })

    test('a phone is verified and recovers the account through a custom channel', async (t) => {
      const sms = pocket()
      const auth = byPhone()
      const app = await build(t, { auth: { ...auth, channels: [sms.channel] } })
      const anyone = new Client(app)
      answers(await anyone.post('/register', { username: 'ann', password, phone }), 202)
      const welcome = await sms.next('verify_email')
      assert.deepEqual(
        { recipient: welcome.recipient, factor: welcome.factor, seconds: welcome.expiresInSeconds },
        { recipient: phone, factor: 'phone', seconds: 86_400 },
      )
      assert.equal((welcome.user as { username?: string }).username, 'ann')
      answers(await anyone.post('/email/verify-confirm', { token: welcome.token }), 200)
      assert.equal((await auth.users.findBy('username', 'ann'))?.phoneVerified, true)
      answers(await anyone.post('/password/reset-request', { phone, redirect_to: '/welcome' }), 202)
      const reset = await sms.next('reset_password')
      assert.equal(reset.redirectTo, '/welcome')
      const { redirect_to } = answers(
        await anyone.post('/password/reset-confirm', { token: reset.token, new_password: next }),
        200,
      )
      assert.equal(redirect_to, '/welcome')
      answers(await new Client(app).login('ann', next), 200)
      assert.equal((await sms.next('password_changed')).recipient, phone)
    })

    test('POST /register: a taken phone number notifies its owner, not the caller', async (t) => {
      const sms = pocket()
      const app = await build(t, { auth: { ...byPhone(), channels: [sms.channel] } })
      const first = await new Client(app).post('/register', { username: 'ann', password, phone })
      const second = await new Client(app).post('/register', { username: 'eve', password, phone })
      assert.equal(answers(second, 202).detail, answers(first, 202).detail)
      const notice = await sms.next('existing_account')
      assert.deepEqual(
        { token: notice.token, recipient: notice.recipient },
        { token: null, recipient: phone },
      )
    })

    test('request routes: the body must contain a valid phone number', async (t) => {
      const sms = pocket()
      const app = await build(t, { auth: { ...byPhone(), channels: [sms.channel] } })
      const anyone = new Client(app)
      for (const url of [urls.verify[0] as string, urls.reset[0] as string]) {
        for (const body of [
          {},
          { email: 'ann@example.com' },
          { phone: 4915112345678 },
          { phone: '' },
          { phone: [phone] },
        ]) {
          refusesOwn(await anyone.post(url, body), 'FST_ERR_VALIDATION')
        }
        for (const text of [
          '015112345678',
          '+49 151 12345678',
          'ann@example.com',
          '+0123456789',
          `${phone}\n`,
        ]) {
          const response = await anyone.post(url, { phone: text })
          assert.equal(response.statusCode, 400, text)
        }
        answers(await anyone.post(url, { phone }), 202)
      }
      await settle()
      assert.deepEqual(sms.intents, [])
    })

    test('the email channel sends nothing to a phone number', async (t) => {
      const sms = pocket()
      const mail = new Mailbox()
      const app = await build(t, {
        auth: { ...byPhone(), channels: [sms.channel], email: mail.options() },
      })
      answers(await new Client(app).post('/register', { username: 'ann', password, phone }), 202)
      await sms.next('verify_email')
      await settle()
      assert.deepEqual(mail.messages, [])
    })

    test('recovery by phone: an email is still changed and reverted by mail', async (t) => {
      const sms = pocket()
      const mail = new Mailbox()
      const users = phoneUsers()
      const auth = {
        ...backend.options(),
        users,
        identity: { recovery: 'phone' },
        registration: { extraFields: ['phone'] },
      }
      const app = await build(t, {
        auth: { ...auth, channels: [sms.channel], email: mail.options() },
      })
      const client = new Client(app)
      answers(
        await client.post('/register', {
          email: 'ann@example.com',
          username: 'ann',
          password,
          phone,
        }),
        202,
      )
      answers(await client.login('ann'), 200)
      answers(
        await client.post('/email/change-request', { new_email: 'new@example.com', password }),
        202,
      )
      answers(
        await client.post('/email/change-confirm', {
          token: await mail.token('new@example.com', 'change_email'),
        }),
        200,
      )
      const token = await mail.token('ann@example.com', 'email_changed')
      answers(await new Client(app).post('/email/change-revert', { token }), 200)
      assert.equal((await users.findBy('username', 'ann'))?.email, 'ann@example.com')
      assert.equal((await users.findBy('username', 'ann'))?.phoneVerified, false)
    })

    test('a custom recovery field is validated by its rules in registration.schema', async (t) => {
      const pager = pocket()
      const users = memoryUsers({
        fields: ['username', 'hashedPassword', 'pager', 'pagerVerified', 'tokenVersion'],
        unique: ['pager'],
      })
      const app = await build(t, {
        auth: {
          ...backend.options(),
          users,
          identity: { login: ['username'], recovery: 'pager' },
          registration: {
            extraFields: ['pager'],
            schema: Type.Object({
              pager: Type.String({ minLength: 6, maxLength: 6, pattern: '^P-[0-9]{4}$' }),
            }),
          },
          channels: [pager.channel],
        },
      })
      const anyone = new Client(app)
      refusesOwn(
        await anyone.post('/register', { username: 'ann', password, pager: 'P-12345' }),
        'FST_ERR_VALIDATION',
      )
      answers(await anyone.post('/register', { username: 'ann', password, pager: 'P-1234' }), 202)
      const { token, factor, recipient } = await pager.next('verify_email')
      assert.deepEqual({ factor, recipient }, { factor: 'pager', recipient: 'P-1234' })
      answers(await anyone.post('/email/verify-confirm', { token }), 200)
      assert.equal((await users.findBy('username', 'ann'))?.pagerVerified, true)
      for (const wrong of ['P-12345', 'p-1234', 'ann@example.com', '']) {
        refusesOwn(
          await anyone.post('/password/reset-request', { pager: wrong }),
          'FST_ERR_VALIDATION',
        )
      }
      answers(await anyone.post('/password/reset-request', { pager: 'P-1234' }), 202)
      const reset = await pager.next('reset_password')
      answers(
        await anyone.post('/password/reset-confirm', { token: reset.token, new_password: next }),
        200,
      )
      answers(await new Client(app).login('ann', next), 200)
    })
  })
}
