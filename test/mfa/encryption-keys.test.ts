import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, captureLogs } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
} from '../helpers/mfa.js'

const old = mfaOptions.encryptionKeys
const renewed = 'pW2xTj8Rn5Hc1Ys6Lq9Zv3Mf7Ka4Dg0BeUiOtXr'

type Row = Record<string, unknown>

/** An app with these keys, on users that other apps share. */
const appWith = (
  t: Parameters<typeof build>[0],
  users: UserStore,
  encryptionKeys: (typeof mfaOptions)['encryptionKeys'] | readonly string[] | Buffer,
  fastify = {},
) => build(t, { fastify, auth: { users, mfa: { ...mfaOptions, encryptionKeys } } })

const signIn = (app: FastifyInstance, code: string, name = 'ada') =>
  signInWithCode(new Client(app), name, code)

test('encryptionKeys: a predecessor opens, and the secret is encrypted again at its next use', async (t) => {
  const users = memoryUsers()
  const { secret } = await enrolledUser(await appWith(t, users, old), 'ada')
  const sealed = async () => ((await users.findById(1)) as Row).totpSecretEncrypted
  const first = await sealed()
  assert.match(String(first), /^[\w-]{80}$/)
  const app = await appWith(t, users, [renewed, old])
  assert.equal(await sealed(), first)
  await signIn(app, codeAt(secret))
  const second = await sealed()
  assert.notEqual(second, first)
  await signIn(app, codeAt(secret, Date.now() + 30_000))
  assert.equal(await sealed(), second, 'once')
  await allowCodesAgain(app, 'ada')
  await signIn(await appWith(t, users, renewed), codeAt(secret))
})

test('encryptionKeys: without the key, codes are refused and recovery codes work', async (t) => {
  const users = memoryUsers()
  const first = await appWith(t, users, old)
  const { secret, recoveryCodes } = await enrolledUser(first, 'ada')
  const { lines, logger } = captureLogs('error')
  const app = await appWith(t, users, renewed, { logger })
  const client = new Client(app)
  const challenge = await challengeOf(client, 'ada')
  refusesOwn(await verify(client, challenge, codeAt(secret)), 'CRUDAUTH_MFA_CODE')
  assert.ok(lines.some((line) => line.includes('mfa.encryptionKeys')))
  assert.ok(!lines.join('').includes(secret))
  answers(await verify(client, challenge, recoveryCodes[0] ?? ''), 200)
  // The way out: a new enrollment.
  answers(await client.post('/mfa/totp/disable', { code: recoveryCodes[1] }), 200)
})

test('encryptionKeys: new recovery codes do not touch a secret that no key opens', async (t) => {
  const users = memoryUsers()
  const { secret, recoveryCodes, client } = await enrolledUser(await appWith(t, users, old), 'ada')
  answers(await client.get('/me'), 200)
  const app = await appWith(t, users, renewed)
  const other = new Client(app)
  answers(await verify(other, await challengeOf(other, 'ada'), recoveryCodes[0] ?? ''), 200)
  const body = { code: recoveryCodes[1] }
  const { recovery_codes: codes } = answers(
    await other.post('/mfa/recovery-codes/regenerate', body),
    200,
  )
  await signIn(app, codes[0])
  await signIn(await appWith(t, users, old), codeAt(secret))
})

test('encryptionKeys: the app secret opens nothing, and may be rotated', async (t) => {
  const users = memoryUsers()
  const { secret } = await enrolledUser(await appWith(t, users, old), 'ada')
  const rotated = await build(t, {
    auth: { users, secret: 'zT5Nc8Qw1Ry4Vb7Kd0Hf3Mj6Sg9Xp2La-other', mfa: mfaOptions },
  })
  await signIn(rotated, codeAt(secret))
})

test('encryptionKeys: text and Buffer of the same bytes are the same key', async (t) => {
  const users = memoryUsers()
  const { secret } = await enrolledUser(await appWith(t, users, old), 'ada')
  await signIn(await appWith(t, users, Buffer.from(old)), codeAt(secret))
})

test('an encrypted secret that was copied to another row opens nothing', async (t) => {
  const users = memoryUsers()
  const app = await appWith(t, users, old)
  const mallory = await enrolledUser(app, 'mallory')
  const ada = await enrolledUser(app, 'ada')
  const { totpSecretEncrypted } = (await users.findById(1)) as Row
  await users.update(2, { totpSecretEncrypted })
  const client = new Client(app)
  const challenge = await challengeOf(client, 'ada')
  for (const { secret } of [mallory, ada])
    refusesOwn(await verify(client, challenge, codeAt(secret)), 'CRUDAUTH_MFA_CODE')
  answers(await verify(client, challenge, ada.recoveryCodes[0] ?? ''), 200)
  await signIn(app, codeAt(mallory.secret), 'mallory')
})

test('an encrypted secret that was modified opens nothing', async (t) => {
  const users = memoryUsers()
  const app = await build(t, { auth: { users, mfa: mfaOptions, lockout: false } })
  const { secret } = await enrolledUser(app, 'ada')
  const sealed = String(((await users.findById(1)) as Row).totpSecretEncrypted)
  for (const forged of [
    secret,
    sealed.slice(1),
    `${sealed}A`,
    sealed.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
    sealed.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    `${sealed}=`,
    'x',
  ]) {
    await users.update(1, { totpSecretEncrypted: forged })
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    refusesOwn(await verify(client, challenge, codeAt(secret)), 'CRUDAUTH_MFA_CODE')
  }
  await users.update(1, { totpSecretEncrypted: sealed })
  await signIn(app, codeAt(secret))
})
