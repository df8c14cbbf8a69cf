import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, limitsOff, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, tokensOf } from '../helpers/email.js'
import { Mailbox } from '../helpers/mailbox.js'

/** Long values of `redirect_to`, recovery fields without a channel, stateless access tokens. */

/** A path whose characters take nine characters each in a URL. */
const wide = (count: number) => `/${'日'.repeat(count)}`

for (const backend of backends) {
  test(`${backend.name}: a redirect_to that is too long once encoded is dropped`, async (t) => {
    const { app, anyone, join, mail } = await mailApp(t, backend, {
      routes: (app) =>
        void app.post('/by-hand', async (request) => {
          app.crudAuth.recovery.requestPasswordReset(request, addressOf('ann'), {
            redirectTo: wide(228),
          })
          return {}
        }),
    })
    const client = await join('ann')
    await client.get('/me')
    for (const [sent, redirect_to] of [wide(228), wide(2000)].entries()) {
      answers(
        await anyone.post('/password/reset-request', { email: addressOf('ann'), redirect_to }),
        202,
      )
      const { context } = await mail.next(addressOf('ann'), 'reset_password', sent + 1)
      assert.equal(new URL(context.link).searchParams.get('redirect_to'), null)
    }
    assert.equal((await app.inject({ method: 'POST', url: '/by-hand' })).statusCode, 200)
    const byHand = await mail.next(addressOf('ann'), 'reset_password', 3)
    assert.equal(new URL(byHand.context.link).searchParams.get('redirect_to'), null)
    answers(
      await anyone.post('/password/reset-request', {
        email: addressOf('ann'),
        redirect_to: wide(227),
      }),
      202,
    )
    const { context } = await mail.next(addressOf('ann'), 'reset_password', 4)
    assert.equal(new URL(context.link).searchParams.get('redirect_to'), encodeURI(wide(227)))
  })

  test(`${backend.name}: a queued job with the longest redirect_to is delivered`, async (t) => {
    let job: { id: string; payload: string } | undefined
    let wake = () => {}
    const come = new Promise<void>((resolve) => {
      wake = resolve
    })
    const { app, anyone, mail, users } = await mailApp(t, backend, {
      auth: {
        delivery: {
          enqueue(one) {
            job = one
            wake()
          },
        },
      },
    })
    await users.create({ email: addressOf('ann'), username: 'ann', hashedPassword: null })
    answers(
      await anyone.post('/password/reset-request', {
        email: addressOf('ann'),
        redirect_to: `/${'a'.repeat(2047)}`,
      }),
      202,
    )
    await come
    await app.crudAuth.recovery.deliver(job as { id: string; payload: string })
    assert.equal(mail.to(addressOf('ann'), 'reset_password').length, 1)
  })

  test(`${backend.name}: recovery.requestEmailChange() accepts a stateless access token of an active account`, async (t) => {
    const { app, anyone, mail, row } = await mailApp(t, backend, {
      auth: {
        transports: [sessionTransport(), bearerTransport({ refresh: 'body', statelessUser: true })],
      },
      routes(app) {
        app.post('/mine', { preHandler: app.currentUser() }, async (request, reply) => {
          const { email } = request.body as { email: string }
          await app.crudAuth.recovery.requestEmailChange(request, email, password)
          return reply.code(202).header('cache-control', 'no-store').send({ detail: 'asked' })
        })
      },
    })
    answers(await anyone.register('ann'), 202)
    const { access } = await tokensOf(app, 'ann')
    const authorization = `Bearer ${access}`
    const ask = (url: string, payload: object) =>
      app.inject({ method: 'POST', url, payload, headers: { authorization } })
    answers(await ask('/mine', { email: 'hand@example.com' }), 202)
    answers(
      await anyone.post('/email/change-confirm', {
        token: await mail.token('hand@example.com', 'change_email'),
      }),
      200,
    )
    answers(await ask('/email/change-request', { new_email: 'route@example.com', password }), 202)
    answers(
      await anyone.post('/email/change-confirm', {
        token: await mail.token('route@example.com', 'change_email'),
      }),
      200,
    )
    assert.equal((await row('ann')).email, 'route@example.com')
    // The token is still valid, but the row says that the account is disabled.
    await app.crudAuth.users.update((await row('ann')).id as number, { isActive: false })
    const refused = await ask('/mine', { email: 'late@example.com' })
    assert.equal(refused.statusCode, 401, refused.body)
  })
}

test('an app whose recovery field no channel reaches fails to start', async (t) => {
  const fields = [
    'id',
    'username',
    'hashedPassword',
    'phone',
    'phoneVerified',
    'tokenVersion',
    'isActive',
  ]
  const identity = { login: ['username'], recovery: 'phone' }
  const email = new Mailbox().options()
  const users = () => memoryUsers({ fields, unique: ['phone'] })
  await assert.rejects(build(t, { auth: { users: users(), identity, email } }), {
    code: 'CRUDAUTH_CONFIG',
    message: /"identity\.recovery" is "phone", which email cannot reach/,
  })
  const app = await build(t, {
    auth: { users: users(), identity, email, channels: [{ deliver() {} }], rateLimits: limitsOff },
  })
  const asked = await new Client(app).post('/password/reset-request', { phone: '+4915112345678' })
  answers(asked, 202)
})
