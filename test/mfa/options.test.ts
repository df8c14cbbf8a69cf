import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CrudAuthOptions, memoryUsers, type RegisteredUser } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, captureLogs, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { enrolledUser, mfaOptions } from '../helpers/mfa.js'
import { refuses } from '../helpers/refuses.js'
import { openSqlite } from '../helpers/tables.js'

type Options = Record<string, unknown>

const columns = ['totpSecretEncrypted', 'totpConfirmedAt', 'totpLastStep', 'mfaRecoveryCodes']
const key = mfaOptions.encryptionKeys
const other = 'pW2xTj8Rn5Hc1Ys6Lq9Zv3Mf7Ka4Dg0BeUiOtXr'
const weak = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Asserts that the app does not start, and that the error names the option. */
const isRefused = (t: Parameters<typeof build>[0], auth: Options, message: RegExp) =>
  assert.rejects(
    build(t, { auth: auth as Partial<CrudAuthOptions> }),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CRUDAUTH_CONFIG', error.message)
      assert.match(error.message, message)
      for (const hidden of [key, other, secret]) assert.ok(!error.message.includes(hidden))
      return true
    },
  )

const openssl = /openssl rand -base64 48/
const mistakes: [what: string, options: unknown, message: RegExp][] = [
  ['null', null, /"mfa" must be an object/],
  ['true', true, /"mfa" must be an object/],
  ['an unknown option', { issuers: 'x' }, /"mfa" has no option "issuers"; it takes issuer,/],
  ['no issuer', { issuer: undefined }, /"mfa.issuer" must be the name of your app/],
  ['an empty issuer', { issuer: '' }, /"mfa.issuer"/],
  ['a blank issuer', { issuer: ' ' }, /"mfa.issuer"/],
  ['an issuer with a colon', { issuer: 'My: App' }, /"mfa.issuer".*without a colon/],
  ['an issuer with a control character', { issuer: 'My\nApp' }, /"mfa.issuer"/],
  ['an issuer that is no text', { issuer: 5 }, /"mfa.issuer"/],
  ['no key', { encryptionKeys: undefined }, /"mfa.encryptionKeys" is required/],
  ['no key: the cure', { encryptionKeys: undefined }, openssl],
  ['an empty list of keys', { encryptionKeys: [] }, /"mfa.encryptionKeys" is required/],
  [
    'a short key',
    { encryptionKeys: 'short' },
    /"mfa.encryptionKeys" must be at least 32 bytes, got 5/,
  ],
  ['a short Buffer', { encryptionKeys: Buffer.alloc(31, 7) }, /"mfa.encryptionKeys".*got 31/],
  ['a weak key', { encryptionKeys: 'a'.repeat(40) }, /"mfa.encryptionKeys" is not random enough/],
  ['a sequence', { encryptionKeys: weak }, /"mfa.encryptionKeys" is not random enough/],
  ['a weak key in a list', { encryptionKeys: [key, weak] }, /"mfa.encryptionKeys\[1\]"/],
  ['a key that is no text', { encryptionKeys: [key, 5] }, /"mfa.encryptionKeys\[1\]".*number/],
  [
    'the secret as key',
    { encryptionKeys: secret },
    /"mfa.encryptionKeys" must differ from "secret"/,
  ],
  [
    'the secret in the list',
    { encryptionKeys: [key, secret] },
    /must differ from "secret".*openssl/,
  ],
  ['the secret as Buffer', { encryptionKeys: Buffer.from(secret) }, /must differ from "secret"/],
  ['required as text', { required: 'yes' }, /"mfa.required" must be true, false or a function/],
  ['required null', { required: null }, /"mfa.required"/],
  ['oauth as text', { oauth: 'yes' }, /"mfa.oauth"/],
]

const bounds: [name: string, min: number, max: number][] = [
  ['challengeSeconds', 1, 3600],
  ['maxAttempts', 1, 100],
  ['recoveryCodes', 1, 50],
]

describe('mfa: a mistake in the options stops the app', () => {
  for (const [what, options, message] of mistakes)
    test(what, (t) => {
      const given = typeof options === 'object' && options ? { ...mfaOptions, ...options } : options
      return isRefused(t, { mfa: given }, message)
    })

  test('a predecessor of the secret as key', async (t) => {
    const encryptionKeys = [key, other]
    const mfa = { ...mfaOptions, encryptionKeys }
    await isRefused(t, { secret: [secret, other], mfa }, /must differ from "secret"/)
    await isRefused(t, { secret: [secret, Buffer.from(other)], mfa }, /must differ from "secret"/)
    await build(t, { auth: { secret: [secret], mfa } })
  })

  for (const [name, min, max] of bounds)
    test(`${name}: ${min} to ${max}`, async (t) => {
      for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, '5', null, -1, true])
        await isRefused(t, { mfa: { ...mfaOptions, [name]: value } }, new RegExp(`"mfa.${name}"`))
      for (const value of [min, max, undefined])
        await build(t, { auth: { mfa: { ...mfaOptions, [name]: value } } })
    })

  test('rememberDeviceDays: 0 to 365', async (t) => {
    for (const rememberDeviceDays of [-1, 366, Number.NaN, Number.POSITIVE_INFINITY, '5', null])
      await isRefused(t, { mfa: { ...mfaOptions, rememberDeviceDays } }, /"mfa.rememberDeviceDays"/)
    for (const rememberDeviceDays of [0, 0.5, 30, 365])
      await build(t, { auth: { mfa: { ...mfaOptions, rememberDeviceDays } } })
  })

  for (const column of columns)
    test(`a user model without ${column}`, async (t) => {
      const standard = ['email', 'username', 'hashedPassword', 'isActive', 'tokenVersion']
      const fields = [...standard, ...columns.filter((name) => name !== column)]
      const message = new RegExp(
        `"mfa" needs the user field "${column}"; add the columns that "npx`,
      )
      await isRefused(t, { users: memoryUsers({ fields }), mfa: mfaOptions }, message)
      const db = openSqlite(':memory:')
      t.after(() => db.destroy())
      const users = kyselyUsers(db, { columns: { [column]: null } })
      await isRefused(t, { users, mfa: mfaOptions }, message)
      await build(t, { auth: { users: memoryUsers({ fields }) } })
    })

  test('keys of 32 bytes as text, Buffer or list are accepted, and issuers in any script', async (t) => {
    const buffer = Buffer.from(other).subarray(0, 32)
    for (const encryptionKeys of [key, buffer, [buffer, key], [key]])
      await build(t, { auth: { mfa: { issuer: 'Größe & Söhne 日本', encryptionKeys } } })
  })
})

describe('mfa.required: a function that fails', () => {
  const failing: [what: string, required: () => unknown][] = [
    ['throws', () => assert.fail('database down: secret-of-the-app')],
    ['rejects', async () => Promise.reject(new Error('secret-of-the-app'))],
    ['returns undefined', () => undefined],
    ['returns a text', () => 'true'],
    ['returns null', async () => null],
    ['returns 0', () => 0],
  ]
  for (const [what, required] of failing)
    test(`${what}: 503, and nobody without a second factor is signed in`, async (t) => {
      const { lines, logger } = captureLogs('error')
      let fails = false
      const mfa = { ...mfaOptions, required: () => (fails ? required() : false) as boolean }
      const app = await build(t, {
        fastify: { logger },
        auth: { mfa, lockout: { maxAttempts: 2 } },
      })
      const owner = await signedIn(app, 'ada')
      const bob = await enrolledUser(app, 'bob')
      fails = true
      for (let tries = 0; tries < 4; tries++) {
        const response = await new Client(app).login('ada')
        refusesOwn(response, 'CRUDAUTH_UNAVAILABLE', ['secret-of-the-app'])
        assert.equal(response.headers['set-cookie'], undefined)
      }
      assert.ok(lines.some((line) => line.includes('needs a second factor')))
      refuses(await owner.get('/mfa'), 'CRUDAUTH_UNAVAILABLE')
      const code = { code: bob.recoveryCodes[0] }
      refuses(await bob.client.post('/mfa/totp/disable', code), 'CRUDAUTH_UNAVAILABLE')
      answers(await new Client(app).login('bob'), 200)
      fails = false
      answers(await new Client(app).login('ada'), 200)
    })
})

test('app.crudAuth.mfa without the option: every method is CRUDAUTH_CONFIG', async (t) => {
  const app = await build(t)
  await new Client(app).register('ada')
  const user = (await app.crudAuth.users.findById(1)) as RegisteredUser
  const { mfa } = app.crudAuth
  const calls = [
    () => mfa.isEnrolled(user),
    () => mfa.isRequired(user),
    () => mfa.status(user),
    () => mfa.beginSetup(user),
    () => mfa.confirmSetup(user, '123456'),
    () => mfa.verifyCode(user, '123456'),
    () => mfa.disable(user),
    () => mfa.regenerateRecoveryCodes(user),
    () => mfa.challenge({} as never, user),
    () => mfa.complete({} as never, {} as never, { challenge: 'x', code: '123456' }),
  ]
  assert.equal(calls.length, Object.keys(mfa).length)
  for (const call of calls)
    await assert.rejects(async () => call(), {
      code: 'CRUDAUTH_CONFIG',
      message: '"app.crudAuth.mfa" needs the option "mfa"',
    })
  for (const [method, url] of [
    ['GET', '/mfa'],
    ['POST', '/mfa/verify'],
    ['POST', '/mfa/totp/setup'],
  ] as const)
    assert.equal((await app.inject({ method, url })).statusCode, 404)
})
