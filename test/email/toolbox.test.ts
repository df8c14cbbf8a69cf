import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type DeliveryJob, memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next, standing, tokensOf } from '../helpers/email.js'
import { Mailbox, settle } from '../helpers/mailbox.js'
import { refuses } from '../helpers/refuses.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'
type Body = Record<'factor' | 'token' | 'secret' | 'email' | 'to', string>

/** Custom routes for each method, without the email routes of the plugin. */
function byHand(app: FastifyInstance): void {
  const { recovery } = app.crudAuth
  const post = (
    url: string,
    does: (request: FastifyRequest, body: Body) => unknown,
    gate = false,
  ) =>
    app.post(
      url,
      { ...(gate && { onRequest: app.currentUser() }) },
      async (request: FastifyRequest, _reply: FastifyReply) => ({
        done: (await does(request, request.body as Body)) ?? null,
      }),
    )
  post('/v', (request, { factor, to }) =>
    recovery.requestVerification(request, factor, { redirectTo: to }),
  )
  post('/vc', (request, { token }) => recovery.confirmVerification(request, token))
  post('/r', (request, { factor, to }) =>
    recovery.requestPasswordReset(request, factor, { redirectTo: to }),
  )
  post('/rc', (request, { token, secret }) => recovery.resetPassword(request, token, secret))
  post(
    '/c',
    (request, { email, secret, to }) =>
      recovery.requestEmailChange(request, email, secret, { redirectTo: to }),
    true,
  )
  post('/cc', (request, { token }) => recovery.confirmEmailChange(request, token))
  post('/cr', (request, { token }) => recovery.revertEmailChange(request, token))
}

for (const backend of backends) {
  describe(`app.crudAuth.recovery, ${backend.name}`, () => {
    const routes = ['account', 'session', 'bearer'] as const
    const open = (t: Parameters<typeof mailApp>[0]) =>
      mailApp(t, backend, { auth: { routes: [...routes] }, routes: byHand })

    test('each method does what its route does', async (t) => {
      const { app, anyone, mail, row } = await open(t)
      assert.equal(app.hasRoute({ method: 'POST', url: '/email/verify-request' }), false)
      const client = new Client(app)
      answers(await client.register('ann'), 202)
      await mail.next(addressOf('ann'), 'verify_email')
      const ok = async (response: ReturnType<Client['post']>, done: unknown = null) => {
        const { statusCode, body } = await response
        assert.equal(statusCode, 200, body)
        assert.deepEqual(JSON.parse(body).done, done)
      }
      await ok(anyone.post('/v', { factor: ' ANN@example.com', to: '/a/../welcome' }))
      const verify = await mail.token(addressOf('ann'), 'verify_email', 2)
      await ok(anyone.post('/vc', { token: verify }), { redirectTo: '/welcome' })
      assert.equal((await row('ann')).emailVerified, true)
      refuses(await anyone.post('/vc', { token: verify }), invalid)

      answers(await client.login('ann'), 200)
      const tokens = await tokensOf(app, 'ann')
      await ok(client.post('/c', { email: 'new@example.com', secret: password }))
      await ok(
        anyone.post('/cc', { token: await mail.token('new@example.com', 'change_email') }),
        {},
      )
      assert.equal((await row('ann')).email, 'new@example.com')
      await ok(anyone.post('/cr', { token: await mail.token(addressOf('ann'), 'email_changed') }))
      assert.equal((await row('ann')).email, addressOf('ann'))
      assert.deepEqual(await standing(app, client, tokens), [401, 401, 401])

      // A revert also sends a reset link.
      await mail.next(addressOf('ann'), 'reset_password')
      await ok(anyone.post('/r', { factor: addressOf('ann'), to: '/in' }))
      const reset = await mail.token(addressOf('ann'), 'reset_password', 2)
      refuses(
        await anyone.post('/rc', { token: reset, secret: 'short' }),
        'CRUDAUTH_PASSWORD_TOO_SHORT',
      )
      await ok(anyone.post('/rc', { token: reset, secret: next }), { redirectTo: '/in' })
      refuses(await anyone.post('/rc', { token: reset, secret: next }), invalid)
      answers(await new Client(app).login('ann', next), 200)
    })

    test('methods refuse what the routes refuse, including values of the wrong type', async (t) => {
      const { app, anyone, mail } = await open(t)
      const client = new Client(app)
      answers(await client.register('ann'), 202)
      answers(await client.login('ann'), 200)
      await mail.next(addressOf('ann'), 'verify_email')
      const before = mail.messages.length
      const bad = [
        ['/v', { factor: 'no address' }, 'CRUDAUTH_EMAIL_INVALID'],
        ['/v', { factor: 1 }],
        ['/r', { factor: [addressOf('ann')] }],
        ['/r', {}],
        ['/rc', { token: { a: 1 }, secret: next }],
        ['/c', { email: 'new@example.com', secret: 'wrong password' }, 'CRUDAUTH_WRONG_PASSWORD'],
        ['/c', { email: 'new@example.com', secret: [password] }],
        ['/c', { email: addressOf('ann'), secret: password }, 'CRUDAUTH_SAME_EMAIL'],
      ] as const
      for (const [url, body, code = 'CRUDAUTH_BAD_REQUEST'] of bad)
        refuses(await client.post(url, body), code, [password])
      refuses(
        await anyone.post('/c', { email: 'new@example.com', secret: password }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
      for (const url of ['/vc', '/rc', '/cc', '/cr']) {
        refuses(await anyone.post(url, { token: 'A'.repeat(22), secret: next }), invalid)
      }
      await settle()
      assert.equal(mail.messages.length, before)
    })

    test('unknown users get the same response as known ones', async (t) => {
      const { anyone, mail } = await open(t)
      answers(await anyone.register('ann'), 202)
      await mail.next(addressOf('ann'), 'verify_email')
      for (const url of ['/v', '/r']) {
        const [known, unknown] = [
          await anyone.post(url, { factor: addressOf('ann') }),
          await anyone.post(url, { factor: 'x@example.com' }),
        ]
        assert.equal(known.statusCode, 200)
        assert.equal(known.body, unknown.body)
      }
    })

    /** An app that passes its messages to a queue. */
    const queued = async (
      t: Parameters<typeof mailApp>[0],
      enqueue?: (job: DeliveryJob) => unknown,
    ) => {
      const jobs: DeliveryJob[] = []
      const made = await mailApp(t, backend, {
        auth: { delivery: { enqueue: enqueue ?? ((job) => void jobs.push(job)) } },
      })
      const come = async (count: number) => {
        for (let tries = 0; jobs.length < count && tries < 1000; tries++)
          await new Promise((resolve) => setTimeout(resolve, 5))
        assert.equal(jobs.length, count)
        return JSON.parse(JSON.stringify(jobs.at(-1))) as DeliveryJob
      }
      return { ...made, jobs, come }
    }

    test('deliver(): sends a queued job with its link and redirect_to', async (t) => {
      const { app, anyone, mail, come, row } = await queued(t)
      answers(await anyone.register('ann'), 202)
      const job = await come(1)
      assert.deepEqual(mail.messages, [], 'nothing is sent before the job is delivered')
      assert.deepEqual(Object.keys(job).sort(), ['id', 'payload'])
      assert.ok(
        !job.payload.includes(Buffer.from('ann@example.com').toString('base64url').slice(2, 12)),
      )
      await app.crudAuth.recovery.deliver(job)
      const token = await mail.token(addressOf('ann'), 'verify_email')
      answers(await anyone.post('/email/verify-confirm', { token }), 200)
      assert.equal((await row('ann')).emailVerified, true)

      answers(
        await anyone.post('/password/reset-request', {
          email: addressOf('ann'),
          redirect_to: '/in',
        }),
        202,
      )
      await app.crudAuth.recovery.deliver(await come(2))
      const reset = await mail.token(addressOf('ann'), 'reset_password')
      assert.equal(
        answers(
          await anyone.post('/password/reset-confirm', { token: reset, new_password: next }),
          200,
        ).redirect_to,
        '/in',
      )
    })

    test('deliver(): a modified, foreign or malformed job is a permanent error and sends nothing', async (t) => {
      const { app, anyone, mail, come } = await queued(t)
      answers(await anyone.register('ann'), 202)
      const job = await come(1)
      const other = await build(t, {
        auth: { secret: 'another-secret-of-32-bytes-0123456789', email: new Mailbox().options() },
      })
      const flipped = `${job.payload.slice(0, 40)}${job.payload[40] === 'A' ? 'B' : 'A'}${job.payload.slice(41)}`
      const refusing = (error: { code?: string; permanent?: boolean }) =>
        error.code === 'CRUDAUTH_BAD_REQUEST' && error.permanent === true
      for (const wrong of [
        { ...job, payload: flipped },
        { ...job, payload: '' },
        { id: job.id },
        {},
        null,
        job.payload,
        7,
      ]) {
        await assert.rejects(app.crudAuth.recovery.deliver(wrong as DeliveryJob), refusing)
      }
      await assert.rejects(other.crudAuth.recovery.deliver(job), refusing)
      assert.deepEqual(mail.messages, [])
      await app.crudAuth.recovery.deliver(job)
      assert.equal(mail.messages.length, 1)
    })

    test('deliver(): drops the job of a disabled user', async (t) => {
      const { app, anyone, mail, come, set } = await queued(t)
      answers(await anyone.register('ann'), 202)
      const job = await come(1)
      await set('ann', { isActive: false })
      await app.crudAuth.recovery.deliver(job)
      assert.deepEqual(mail.messages, [])
    })

    test('deliver(): rejects if the sender fails, without the address or token in the error', async (t) => {
      const { app, anyone, come } = await queued(t)
      const broken = await build(t, {
        auth: {
          ...backend.options(),
          users: memoryUsers(),
          email: {
            frontendUrl: 'https://app.example.com',
            sender: {
              send: ({ to, context }) => Promise.reject(new Error(`no ${to} ${context.link}`)),
            },
          },
        },
      })
      answers(await anyone.register('ann'), 202)
      const job = await come(1)
      await broken.crudAuth.users.create({
        email: addressOf('ann'),
        username: 'ann',
        hashedPassword: null,
      })
      await assert.rejects(broken.crudAuth.recovery.deliver(job), (error: Error) => {
        assert.ok(!/ann@|token=[\w-]{22}/.test(`${error.message} ${error.stack}`), error.message)
        assert.equal(error.name, 'DeliveryFailedError')
        assert.match(
          error.message,
          /^no \[…\] https:\/\/app\.example\.com\/verify-email\?token=\[…\]$/,
        )
        const { code, permanent } = error as Error & { code?: string; permanent?: boolean }
        assert.deepEqual([code, permanent], ['CRUDAUTH_DELIVERY_FAILED', false])
        assert.equal(error.cause, undefined)
        return true
      })
      assert.ok(app)
    })
  })
}

test('app.crudAuth.recovery: throws CRUDAUTH_CONFIG without delivery or a recovery field', async (t) => {
  for (const auth of [{}, { email: new Mailbox().options(), identity: { recovery: null } }]) {
    const app = await build(t, { auth })
    const request = {} as FastifyRequest
    assert.throws(() => app.crudAuth.recovery.requestVerification(request, 'a@example.com'), {
      code: 'CRUDAUTH_CONFIG',
    })
    assert.throws(() => app.crudAuth.recovery.requestPasswordReset(request, 'a@example.com'), {
      code: 'CRUDAUTH_CONFIG',
    })
    await assert.rejects(app.crudAuth.recovery.confirmVerification(request, 'x'), {
      code: 'CRUDAUTH_CONFIG',
    })
    await assert.rejects(app.crudAuth.recovery.resetPassword(request, 'x', next), {
      code: 'CRUDAUTH_CONFIG',
    })
    await assert.rejects(app.crudAuth.recovery.requestEmailChange(request, 'a@example.com', next), {
      code: 'CRUDAUTH_CONFIG',
    })
    await assert.rejects(app.crudAuth.recovery.confirmEmailChange(request, 'x'), {
      code: 'CRUDAUTH_CONFIG',
    })
    await assert.rejects(app.crudAuth.recovery.revertEmailChange(request, 'x'), {
      code: 'CRUDAUTH_CONFIG',
    })
  }
  const app = await build(t)
  await assert.rejects(app.crudAuth.recovery.deliver({ id: 'x', payload: 'x' }), {
    code: 'CRUDAUTH_CONFIG',
  })
  refusesOwn(await new Client(app).post('/register', {}), 'FST_ERR_VALIDATION')
})
