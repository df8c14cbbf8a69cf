import assert from 'node:assert/strict'
import diagnosticsChannel from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import type { AuthEvent, AuthEventType, CrudAuthHooks } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { captureLogs } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, type MailApp, mailApp, next } from '../helpers/email.js'

const names: AuthEventType[] = [
  'onAfterRecoveryVerified',
  'onAfterPasswordReset',
  'onAfterEmailChanged',
  'onDeliveryFailed',
]
const old = addressOf('ann')

/** Makes requests that fire each of the events, except `onDeliveryFailed`. */
async function everything({ app, anyone, join, move, ask }: MailApp): Promise<void> {
  const client = await join('ann')
  const revert = await move(client, old, 'new@example.com')
  answers(await anyone.post('/email/change-revert', { token: revert }), 200)
  answers(
    await anyone.post('/password/reset-confirm', {
      token: await ask('reset', 'ann'),
      new_password: next,
    }),
    200,
  )
  answers(await new Client(app).login('ann', next), 200)
}

const expected = [
  'onAfterRecoveryVerified',
  'onAfterEmailChanged',
  'onAfterEmailChanged',
  'onAfterPasswordReset',
]

for (const backend of backends) {
  describe(`recovery hooks, ${backend.name}`, () => {
    test('each event calls its hook once, with the user and the context', async (t) => {
      const told: [string, Record<string, unknown>, Record<string, unknown>][] = []
      const hooks = Object.fromEntries(
        names.map((name) => [
          name,
          (subject: object, context: object) =>
            void told.push([name, { ...subject }, { ...context }]),
        ]),
      ) as CrudAuthHooks
      await everything(await mailApp(t, backend, { auth: { hooks } }))
      assert.deepEqual(
        told.map(([name]) => name),
        expected,
      )
      for (const [, user, { request }] of told) {
        assert.equal(user.username, 'ann')
        assert.equal(typeof (request as { url: unknown }).url, 'string')
      }
      const [verified, changed, reverted, reset] = told.map(
        ([, user, { request, ...context }]) => ({ user, context }),
      )
      assert.deepEqual(verified?.context, { factor: 'email' })
      assert.equal(verified?.user.emailVerified, true)
      assert.deepEqual(changed?.context, { previous: old, reverted: false })
      assert.equal(changed?.user.email, 'new@example.com')
      assert.deepEqual(reverted?.context, { previous: 'new@example.com', reverted: true })
      assert.equal(reverted?.user.email, old)
      assert.deepEqual(reset?.context, {})
      assert.equal(reset?.user.tokenVersion, 2)
    })

    test('hooks are awaited; one that throws is logged and does not fail the request', async (t) => {
      let ended = 0
      const hook = async () => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        ended++
        throw new Error('the hook of the app broke')
      }
      const { lines, logger } = captureLogs('error')
      const hooks = Object.fromEntries(names.map((name) => [name, hook])) as CrudAuthHooks
      const made = await mailApp(t, backend, {
        auth: { hooks },
        fastify: { logger: { level: logger.level, stream: logger.stream } },
      })
      await everything(made)
      assert.equal(ended, 4)
      assert.equal(lines.filter((line) => line.includes('the hook of the app broke')).length, 4)
    })

    test('each event is published once on its diagnostics channel, without tokens or passwords', async (t) => {
      const events: AuthEvent[] = []
      const listen = (event: unknown) => void events.push(event as AuthEvent)
      for (const name of names) {
        diagnosticsChannel.subscribe(`crudauth:${name}`, listen)
        t.after(() => diagnosticsChannel.unsubscribe(`crudauth:${name}`, listen))
      }
      const made = await mailApp(t, backend)
      await everything(made)
      assert.deepEqual(
        events.map(({ type }) => type),
        expected,
      )
      const text = JSON.stringify(events.map(({ request, ...rest }) => rest))
      for (const { context } of made.mail.messages) {
        const token = new URL(context.link).searchParams.get('token')
        if (token) assert.ok(!text.includes(token))
      }
      assert.ok(!text.includes(next))
    })

    test('a rejected token calls no hook', async (t) => {
      const told: string[] = []
      const hooks = Object.fromEntries(
        names.map((name) => [name, () => void told.push(name)]),
      ) as CrudAuthHooks
      const { anyone, join } = await mailApp(t, backend, { auth: { hooks } })
      await join('ann', { verified: false })
      const token = 'A'.repeat(22)
      for (const url of [
        '/email/verify-confirm',
        '/email/change-confirm',
        '/email/change-revert',
        '/password/reset-confirm',
      ]) {
        assert.equal((await anyone.post(url, { token, new_password: next })).statusCode, 400)
      }
      assert.deepEqual(told, [])
    })
  })
}
