import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { memoryUsers, type RegisteredUser, type UserStore } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { challengeOf, codeAt, enrolledUser, mfaOptions, verify } from '../helpers/mfa.js'

const form = /^[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){3}$/
const digestOf = (code: string) =>
  createHash('sha256').update(code.replaceAll('-', '')).digest('hex')

/** An app with an enrolled user. `row` reads the user. */
async function setUp(t: Parameters<typeof build>[0], auth: object = {}) {
  const app = await build(t, { auth: { lockout: false, mfa: mfaOptions, ...auth } })
  const ada = await enrolledUser(app, 'ada')
  const row = async () =>
    (await app.crudAuth.users.findById(1)) as unknown as Record<string, unknown>
  return { app, ...ada, row }
}

test('recovery codes: four groups of four letters and digits that nobody confuses', async (t) => {
  const mfa = { ...mfaOptions, recoveryCodes: 50 }
  const { recoveryCodes } = await setUp(t, { mfa })
  assert.equal(recoveryCodes.length, 50)
  assert.equal(new Set(recoveryCodes).size, 50)
  for (const code of recoveryCodes) assert.match(code, form)
  const used = new Set(recoveryCodes.join('').replaceAll('-', ''))
  assert.equal(used.size, 31, 'the whole alphabet')
})

test('recovery codes: stored as a JSON array of SHA-256 in hex', async (t) => {
  const { recoveryCodes, row } = await setUp(t)
  const { mfaRecoveryCodes: stored } = await row()
  assert.deepEqual(JSON.parse(String(stored)), recoveryCodes.map(digestOf))
})

test('recovery codes: upper case, spaces and dashes make no difference', async (t) => {
  const { app, recoveryCodes, row } = await setUp(t)
  const spellings = [
    (code: string) => code.toUpperCase(),
    (code: string) => code.replaceAll('-', ''),
    (code: string) => code.replaceAll('-', ' '),
    (code: string) => `  ${code.replaceAll('-', '')} `,
    (code: string) => [...code.replaceAll('-', '').toUpperCase()].join('-'),
  ]
  for (const [index, spell] of spellings.entries()) {
    const client = new Client(app)
    const code = spell(recoveryCodes[index] ?? '')
    answers(await verify(client, await challengeOf(client, 'ada'), code), 200)
    const left = JSON.parse(String((await row()).mfaRecoveryCodes))
    assert.deepEqual(left, recoveryCodes.slice(index + 1).map(digestOf))
  }
})

test('recovery codes: each works once, and the hook and the status tell how many are left', async (t) => {
  const told: object[] = []
  const { app, client, recoveryCodes } = await setUp(t, {
    mfa: { ...mfaOptions, recoveryCodes: 2 },
    hooks: {
      onRecoveryCodeUsed: (user: { username: string }, { remaining }: { remaining: number }) =>
        told.push({ name: user.username, remaining }),
    },
  })
  const [first = '', second = ''] = recoveryCodes
  const other = new Client(app)
  answers(await verify(other, await challengeOf(other, 'ada'), first), 200)
  const challenge = await challengeOf(other, 'ada')
  refusesOwn(await verify(other, challenge, first), 'CRUDAUTH_MFA_CODE')
  const user = (await app.crudAuth.users.findById(1)) as RegisteredUser
  assert.equal(await app.crudAuth.mfa.verifyCode(user, second), true)
  assert.equal(await app.crudAuth.mfa.verifyCode(user, second), false)
  refusesOwn(await verify(other, challenge, second), 'CRUDAUTH_MFA_CODE')
  assert.deepEqual(told, [
    { name: 'ada', remaining: 1 },
    { name: 'ada', remaining: 0 },
  ])
  assert.equal(answers(await client.get('/mfa'), 200).recovery_codes_remaining, 0)
  const now = (await app.crudAuth.users.findById(1)) as RegisteredUser
  assert.deepEqual(await app.crudAuth.mfa.status(now), {
    enabled: true,
    required: false,
    recoveryCodesRemaining: 0,
  })
})

test('recovery codes: a stored digest is no code', async (t) => {
  const { app, recoveryCodes } = await setUp(t)
  const client = new Client(app)
  const challenge = await challengeOf(client, 'ada')
  const digest = digestOf(recoveryCodes[0] ?? '')
  for (const code of [digest, digest.slice(0, 16), '', '-', ' - - '])
    refusesOwn(await verify(client, challenge, code), 'CRUDAUTH_MFA_CODE')
})

test('recovery codes: a column that holds something else opens nothing', async (t) => {
  const { app, secret, row } = await setUp(t, { mfa: { ...mfaOptions, maxAttempts: 100 } })
  const client = new Client(app)
  const challenge = await challengeOf(client, 'ada')
  for (const stored of ['', 'null', '{}', '[1]', '["",null]', 'not json', '"text"', '[']) {
    await app.crudAuth.users.update(1, { mfaRecoveryCodes: stored })
    for (const code of ['', '1', 'not json', 'aaaa-bbbb-cccc-dddd'])
      refusesOwn(await verify(client, challenge, code), 'CRUDAUTH_MFA_CODE')
    assert.equal((await row()).mfaRecoveryCodes, stored)
  }
  answers(await verify(client, challenge, codeAt(secret)), 200)
})

for (const backend of backends) {
  test(`${backend.name}: recovery codes: 100 parallel uses of one code sign in once`, async (t) => {
    noUnhandledRejections(t)
    const { app, client, recoveryCodes } = await setUp(t, backend.options())
    const challenges = await Promise.all(times(100, () => challengeOf(new Client(app), 'ada')))
    const code = recoveryCodes[3] ?? ''
    const verified = await Promise.all(
      challenges.map((challenge) => verify(new Client(app), challenge, code)),
    )
    assert.deepEqual(statuses(verified), { 200: 1, 401: 99 })
    assert.equal(answers(await client.get('/sessions'), 200).length, 2)
    assert.equal(answers(await client.get('/mfa'), 200).recovery_codes_remaining, 9)
  })

  test(`${backend.name}: recovery codes: 10 codes in parallel at 10 challenges are all accepted`, async (t) => {
    noUnhandledRejections(t)
    const { app, row, recoveryCodes } = await setUp(t, backend.options())
    const verified = await Promise.all(
      recoveryCodes.map(async (code) => {
        const other = new Client(app)
        return verify(other, await challengeOf(other, 'ada'), code)
      }),
    )
    assert.deepEqual(statuses(verified), { 200: 10 })
    assert.equal((await row()).mfaRecoveryCodes, '[]')
  })
}

test('a driver that converts the columns does not make an account one without a second factor', async (t) => {
  const store = memoryUsers()
  let converts: Record<string, unknown> = {}
  const converted = <Row>(row: Row) => (row === null ? row : { ...row, ...converts })
  const users: UserStore = {
    ...store,
    findById: async (id) => converted(await store.findById(id)),
    findBy: async (field, value) => converted(await store.findBy(field, value)),
  }
  const app = await build(t, { auth: { mfa: mfaOptions, users } })
  await enrolledUser(app, 'ada')
  converts = { mfaRecoveryCodes: ['0'.repeat(64)] }
  const client = new Client(app)
  const challenge = await challengeOf(client, 'ada')
  const code = 'aaaa-aaaa-aaaa-aaaa'
  refusesOwn(await client.post('/mfa/verify', { challenge, code }), 'CRUDAUTH_INTERNAL')
  converts = { totpSecretEncrypted: Buffer.from('sealed') }
  refusesOwn(await client.login('ada'), 'CRUDAUTH_INTERNAL')
  refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
})
