import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends, serverUrl, uniquePrefix } from '../helpers/backends.js'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { redisTexts } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  mfaOptions,
  verify,
  wrongCode,
} from '../helpers/mfa.js'

const redis = serverUrl('TEST_REDIS_URL')

/** Runs every route of the second factor. Returns all secrets that occurred. */
async function fullFlow(app: Parameters<typeof signedIn>[0], isRequired: (on: boolean) => void) {
  const secrets: string[] = []
  const note = (...texts: string[]) => void secrets.push(...texts)
  const client = await signedIn(app, 'ada')
  const setup = answers(await client.post('/mfa/totp/setup', { password }), 200)
  note(setup.secret, setup.otpauth_uri)
  const { secret } = setup
  await client.post('/mfa/totp/confirm', { code: wrongCode(secret) })
  const code = codeAt(secret)
  const { recovery_codes: codes } = answers(await client.post('/mfa/totp/confirm', { code }), 200)
  note(code, ...codes)
  await allowCodesAgain(app, 'ada')
  const other = new Client(app)
  const [used, open] = [await challengeOf(other, 'ada'), await challengeOf(other, 'ada')]
  note(used, open)
  await other.post('/mfa/challenge', { challenge: used })
  await verify(other, used, wrongCode(secret))
  answers(await verify(other, used, codeAt(secret), { remember_device: true }), 200)
  await verify(other, open, codeAt(secret))
  await verify(other, open, 'aaaa-bbbb-cccc-dddd')
  answers(await verify(new Client(app), open, codes[0]), 200)
  await verify(new Client(app), open, codes[1])
  await allowCodesAgain(app, 'ada')
  assert.equal((await client.post('/sudo', { code: codeAt(secret) })).statusCode, 200)
  await client.post('/sudo', { code: codes[2] })
  const body = { code: codes[3] }
  const renewed = answers(await client.post('/mfa/recovery-codes/regenerate', body), 200)
  note(...renewed.recovery_codes)
  note(await challengeOf(new Client(app), 'ada'))
  // A setup that is still open.
  isRequired(true)
  await new Client(app).register('bob')
  const begun = answers(await new Client(app).login('bob'), 200)
  note(begun.challenge, begun.setup.secret, begun.setup.otpauth_uri)
  await verify(new Client(app), begun.challenge, wrongCode(begun.setup.secret))
  isRequired(false)
  answers(await client.post('/mfa/totp/disable', { code: renewed.recovery_codes[0] }), 200)
  return secrets
}

/** A text that must not occur, in the forms in which it could. Codes alone are too short. */
const formsOf = (secret: string) =>
  secret.length < 8
    ? []
    : [
        secret,
        secret.replaceAll('-', ''),
        encodeURIComponent(secret),
        Buffer.from(secret).toString('hex'),
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        Buffer.from(secret).toString('base64url'),
      ]

const appFor = async (t: Parameters<typeof build>[0], auth: object, fastify: object = {}) => {
  let required = false
  const app = await build(t, {
    fastify,
    auth: {
      users: memoryUsers(),
      lockout: false,
      transports: [sessionTransport({ managementRoutes: true })],
      mfa: { ...mfaOptions, required: () => required, rememberDeviceDays: 1 },
      ...auth,
    },
    routes(app) {
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
        await app.crudAuth.sudo.elevate(request, request.body as { code: string })
        return {}
      })
    },
  })
  const setRequired = (on: boolean) => {
    required = on
  }
  return { app, setRequired }
}

test('Redis dump: no secret, code, challenge or recovery code of the second factor', {
  skip: !redis,
}, async (t) => {
  const keyPrefix = uniquePrefix()
  const { app, setRequired } = await appFor(t, { redis, keyPrefix })
  const secrets = await fullFlow(app, setRequired)
  const texts = (await redisTexts(keyPrefix)).join('\n')
  assert.ok(texts.length > 1000)
  for (const secret of secrets)
    for (const form of formsOf(secret)) assert.ok(!texts.includes(form), form)
  assert.doesNotMatch(texts, /otpauth|totp|ada@example\.com|"amr"|signIn/)
})

for (const backend of backends) {
  test(`${backend.name}: logs at trace contain nothing of the second factor`, async (t) => {
    const { lines, logger } = captureLogs('trace')
    const { app, setRequired } = await appFor(t, backend.options(), { logger })
    const secrets = await fullFlow(app, setRequired)
    const text = lines.join('\n')
    assert.ok(text.includes('/mfa/verify'))
    for (const secret of secrets) {
      for (const form of formsOf(secret)) assert.ok(!text.includes(form), form)
      if (secret.length < 8) assert.doesNotMatch(text, new RegExp(`"${secret}"|[ =:]${secret}[ ,]`))
    }
    assert.ok(!text.includes('otpauth'))
  })

  test(`${backend.name}: a failure in every step logs no secret either`, async (t) => {
    const { lines, logger } = captureLogs('trace')
    const inner = memoryUsers()
    let broken = false
    const users = {
      ...inner,
      compareAndSet: async (...args: Parameters<typeof inner.compareAndSet>) => {
        if (broken) throw new Error(`driver: could not write ${JSON.stringify(args)}`)
        return inner.compareAndSet(...args)
      },
    }
    const { app } = await appFor(t, { ...backend.options(), users }, { logger })
    const client = await signedIn(app, 'ada')
    const { secret, otpauth_uri } = answers(await client.post('/mfa/totp/setup', { password }), 200)
    broken = true
    const failed = [
      await client.post('/mfa/totp/confirm', { code: codeAt(secret) }),
      await client.post('/mfa/totp/setup', { password }),
    ]
    for (const response of failed) {
      assert.equal(response.statusCode, 503)
      assert.doesNotMatch(response.body, /driver|totp/i)
    }
    const row = (await inner.findById(1)) as Record<string, unknown>
    const text = lines.join('\n')
    for (const hidden of [secret, otpauth_uri, password])
      for (const form of formsOf(hidden)) assert.ok(!text.includes(form), form)
    assert.equal(row.totpConfirmedAt, null)
  })
}
