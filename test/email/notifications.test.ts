import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type DeliveryIntent,
  type EmailMessage,
  memoryUsers,
  type UserValues,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { cheap, password, secret } from '../helpers/build.js'
import { moduleUrl, nodeFlags } from '../helpers/child.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next, withPhone } from '../helpers/email.js'
import { Mailbox } from '../helpers/mailbox.js'

/** Security notices about an account are delivered whatever happens to other messages. */
const root = fileURLToPath(new URL('../..', import.meta.url))
const stranger = (i: number) => `stranger${i}@elsewhere.example`

for (const backend of backends) {
  for (const fault of ['hangs', 'fails'] as const) {
    test(`${backend.name}: security notices are delivered while mail to others ${fault} and fills the queue`, async (t) => {
      const mail = new Mailbox()
      const links: DeliveryIntent[] = []
      let waiting = 0
      const send = (message: EmailMessage) => {
        if (!message.to.endsWith('@elsewhere.example')) return void mail.messages.push(message)
        waiting++
        if (fault === 'hangs') return new Promise<void>(() => {})
        throw new Error('451 try again later')
      }
      const lost: unknown[] = []
      const { anyone, users } = await mailApp(t, backend, {
        auth: {
          email: { ...mail.options(), sender: { send } },
          channels: [{ name: 'links', deliver: (intent) => void links.push(intent) }],
          delivery: { maxQueued: 5, drainSeconds: 0, firstRetrySeconds: 60 },
          hooks: {
            onDeliveryFailed: ({ kind, channel, reason }) =>
              void lost.push(`${kind} ${channel} ${reason}`),
          },
        },
      })
      const link = async (kind: string, to: string) => {
        for (let tries = 0; tries < 1000; tries++) {
          const found = links.find((intent) => intent.kind === kind && intent.recipient === to)
          if (found) return found.token as string
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        throw new Error(`no ${kind} came`)
      }
      answers(await anyone.register('ann'), 202)
      await mail.next(addressOf('ann'), 'verify_email')
      const client = new Client(anyone.app)
      answers(await client.login('ann'), 200)
      for (let i = 0; i < 9; i++) {
        await users.create({ email: stranger(i), username: `stranger${i}`, hashedPassword: null })
        answers(await anyone.post('/password/reset-request', { email: stranger(i) }), 202)
        // The queue that prepares messages has the same limit and must not fill up here.
        await link('reset_password', stranger(i))
      }
      for (let tries = 0; !lost.includes('reset_password email full') && tries < 1000; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      assert.ok(lost.includes('reset_password email full'), 'the queue is full')
      assert.ok(waiting > 0)
      answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      await mail.next(addressOf('ann'), 'password_changed')
      answers(
        await client.post('/email/change-request', {
          new_email: 'new@example.com',
          password: next,
        }),
        202,
      )
      answers(
        await anyone.post('/email/change-confirm', {
          token: await link('change_email', 'new@example.com'),
        }),
        200,
      )
      answers(
        await anyone.post('/email/change-revert', {
          token: await mail.token(addressOf('ann'), 'email_changed'),
        }),
        200,
      )
    })
  }

  const verifications: [UserValues, string][] = [
    [{ emailVerified: false, phoneVerified: true }, 'phone'],
    [{ emailVerified: true, phoneVerified: false }, 'email'],
    [{ emailVerified: true, phoneVerified: true }, 'email'],
    [{ emailVerified: false, phoneVerified: false }, 'email'],
  ]
  for (const [flags, factor] of verifications) {
    test(`${backend.name}: password_changed is sent by ${factor} for ${JSON.stringify(flags)}`, async (t) => {
      const told: string[] = []
      let wake = () => {}
      const come = new Promise<void>((resolve) => {
        wake = resolve
      })
      const deliver = ({ kind, factor, recipient }: DeliveryIntent) => {
        if (kind !== 'password_changed') return
        told.push(`${factor} ${recipient}`)
        wake()
      }
      const { app, anyone, set } = await mailApp(t, backend, {
        auth: {
          users: memoryUsers({ fields: withPhone, unique: ['phone'] }),
          registration: { extraFields: ['phone'] },
          identity: { login: ['email', 'username'], recovery: 'phone' },
          channels: [{ name: 'notes', deliver }],
        },
      })
      const phone = '+4915112345678'
      answers(
        await anyone.post('/register', {
          email: addressOf('ann'),
          username: 'ann',
          password,
          phone,
        }),
        202,
      )
      await set('ann', flags)
      const client = new Client(app)
      answers(await client.login('ann'), 200)
      answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      await come
      assert.deepEqual(told, [factor === 'email' ? `email ${addressOf('ann')}` : `phone ${phone}`])
    })
  }
}

test('app.close() resolves even if the sender never closes', () => {
  const code = `
    const { default: Fastify } = await import('fastify')
    const { default: crudAuth, memoryUsers, sessionTransport } = await import('${moduleUrl('src/index.ts')}')
    const app = Fastify()
    await app.register(crudAuth, {
      secret: '${secret}',
      users: memoryUsers(),
      transports: [sessionTransport()],
      passwords: { cost: ${JSON.stringify(cheap)} },
      email: { frontendUrl: 'https://app.example.com', sender: { send() {}, close: () => new Promise(() => {}) } },
    })
    await app.ready()
    void (async () => {
      await app.close()
      console.log('closed')
    })()`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeFlags, '--input-type=module', '-e', code],
    {
      cwd: root,
      encoding: 'utf8',
      timeout: 60_000,
    },
  )
  assert.deepEqual([status, stdout], [0, 'closed\n'], stderr)
})
