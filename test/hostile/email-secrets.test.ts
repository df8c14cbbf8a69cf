import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { serverUrl, uniquePrefix } from '../helpers/backends.js'
import { captureLogs, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, type MailApp, mailApp, next } from '../helpers/email.js'
import { redisTexts } from '../helpers/hostile.js'
import { Mailbox, settle } from '../helpers/mailbox.js'

const redis = serverUrl('TEST_REDIS_URL')
const place = '/a-place-to-go-on'

const tokensIn = (mail: Mailbox) =>
  mail.messages.flatMap(({ context }) => new URL(context.link).searchParams.get('token') ?? [])

/** Leaves live tokens of each purpose, reserved addresses and counters. */
async function everything({ join, move, ask, askChange, anyone }: MailApp) {
  const client = await join('ann')
  await move(client, addressOf('ann'), 'second@example.com')
  await askChange(client, 'third@example.com')
  await join('bob', { verified: false })
  await ask('verify', 'bob')
  await ask('reset', 'bob')
  answers(
    await anyone.post('/password/reset-request', { email: addressOf('bob'), redirect_to: place }),
    202,
  )
  answers(await anyone.post('/email/verify-request', { email: addressOf('nobody') }), 202)
  answers(
    await anyone.post('/register', { email: addressOf('bob'), username: 'eve', password }),
    202,
  )
  await settle()
}

test('Redis dump: contains no email token, address or password, nothing can be redeemed', {
  skip: !redis,
}, async (t) => {
  const keyPrefix = uniquePrefix()
  const made = await mailApp(t, {
    name: 'redis',
    options: () => ({ redis: redis as string, keyPrefix }),
  })
  await everything(made)
  const texts = await redisTexts(keyPrefix)
  assert.ok(
    texts.filter((text) => text.includes(':o:')).length >= 8,
    'tokens and reserved addresses are stored',
  )
  const tokens = tokensIn(made.mail)
  assert.ok(tokens.length >= 8)
  const dump = texts.join('\n')
  const secrets = [
    ...tokens,
    ...tokens.map((token) => createHash('sha256').update(token).digest('base64url')),
    ...['ann@', 'bob@', 'second@', 'third@', 'nobody@', 'example.com', place],
    ...['ann@example.com', 'bob@example.com', 'nobody@example.com'].map((text) =>
      createHash('sha256').update(text).digest('base64url'),
    ),
    Buffer.from('ann@example.com').toString('base64url'),
    password,
    secret,
  ]
  for (const text of secrets) assert.ok(!dump.includes(text), `${text} is stored in Redis`)
  const pieces = new Set(
    texts
      .flatMap((text) => [text, ...text.split(/[|:{}.,\s"]/)])
      .filter((piece) => piece.length > 3 && piece.length <= 128),
  )
  for (const token of pieces) {
    for (const url of [
      '/email/verify-confirm',
      '/password/reset-confirm',
      '/email/change-confirm',
      '/email/change-revert',
    ]) {
      const response = await made.anyone.post(url, { token, new_password: next })
      assert.equal(response.statusCode, 400, token)
    }
  }
})

for (const state of ['memory', ...(redis ? ['redis'] : [])]) {
  test(`${state}: email flows: no log line or error response contains a token, address or password`, async (t) => {
    const { lines, logger } = captureLogs()
    const mail = new Mailbox()
    let failing = true
    const made = await mailApp(
      t,
      {
        name: state,
        options: () =>
          state === 'redis' ? { redis: redis as string, keyPrefix: uniquePrefix() } : {},
      },
      {
        fastify: { logger: { level: logger.level, stream: logger.stream } },
        auth: {
          email: {
            ...mail.options(),
            sender: {
              async send(message) {
                if (message.kind === 'password_changed' && failing) {
                  throw new Error(
                    `550 <${message.to}> ${message.context.link} ${JSON.stringify(message.context)} refused`,
                  )
                }
                mail.messages.push(message)
              },
            },
          },
          delivery: { attempts: 2, firstRetrySeconds: 0.01 },
        },
      },
    )
    const app = { ...made, mail }
    const { anyone } = app
    const refusals: string[] = []
    const note = async (response: ReturnType<Client['post']>) => {
      const { statusCode, body } = await response
      if (statusCode >= 400) refusals.push(body)
    }
    answers(await anyone.register('ann'), 202)
    const verify = await mail.token(addressOf('ann'), 'verify_email')
    for (const url of [
      '/email/change-confirm',
      '/email/change-revert',
      '/password/reset-confirm',
    ]) {
      await note(anyone.post(url, { token: verify, new_password: next }))
    }
    answers(await anyone.post('/email/verify-confirm', { token: verify }), 200)
    await note(anyone.post('/email/verify-confirm', { token: verify }))
    await note(anyone.post('/email/verify-confirm', { token: [verify] }))
    const client = new Client(app.app)
    answers(await client.login('ann'), 200)
    await note(
      client.post('/email/change-request', {
        new_email: 'new@example.com',
        password: 'a guessed password',
      }),
    )
    await note(
      client.post('/email/change-request', { new_email: 'no address of anybody', password }),
    )
    answers(
      await client.post('/email/change-request', { new_email: 'new@example.com', password }),
      202,
    )
    const change = await mail.token('new@example.com', 'change_email')
    await app.users.create({ email: 'new@example.com', username: 'quick', hashedPassword: null })
    await note(anyone.post('/email/change-confirm', { token: change }))
    await note(
      anyone.post('/password/reset-request', {
        email: addressOf('ann'),
        redirect_to: '//evil.example',
      }),
    )
    answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
    const reset = await mail.token(addressOf('ann'), 'reset_password')
    await note(anyone.post('/password/reset-confirm', { token: reset, new_password: 'tooshrt' }))
    answers(await anyone.post('/password/reset-confirm', { token: reset, new_password: next }), 200)
    await note(anyone.post('/password/reset-confirm', { token: reset, new_password: next }))
    for (let tries = 0; !lines.some((line) => line.includes('gave up delivering')); tries++) {
      assert.ok(tries < 1000, 'the failure is logged')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    failing = false

    assert.ok(refusals.length >= 10)
    assert.ok(lines.length > 30)
    const secrets = [
      verify,
      change,
      reset,
      password,
      next,
      'a guessed password',
      'ann@example.com',
      'new@example.com',
      'tooshrt',
      secret,
    ]
    for (const text of [...lines, ...refusals]) {
      for (const value of secrets)
        assert.ok(value && !text.includes(value), `${value} appears in ${text}`)
    }
  })
}
