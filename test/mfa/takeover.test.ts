import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { challengeOf, codeAt, enroll, mfaOptions, verify } from '../helpers/mfa.js'
import { ada, Browser, browserOf, buildOAuth, fields, landsOn } from '../helpers/oauth.js'

const columns = ['totpSecretEncrypted', 'totpConfirmedAt', 'totpLastStep', 'mfaRecoveryCodes']
const auth = { mfa: mfaOptions }

/** Which of the four columns have a value. */
const filled = (row: Record<string, unknown> | null) =>
  columns.filter((column) => row?.[column] !== null)

/** What an enrolled row contains. The step was taken back by the helper. */
const enrolledColumns = columns.filter((column) => column !== 'totpLastStep')

for (const backend of backends) {
  describe(`${backend.name}: who takes over an account that was never verified (pre-hijacking)`, () => {
    test('password reset: the second factor of the creator is gone', async (t) => {
      const { app, anyone, join, ask, row, set } = await mailApp(t, backend, { auth })
      const creator = await join('ada', { verified: false })
      await enroll(creator)
      await set('ada', { totpLastStep: 1 })
      assert.deepEqual(filled(await row('ada')), columns)
      const token = await ask('reset', 'ada')
      const reset = { token, new_password: next }
      answers(await anyone.post('/password/reset-confirm', reset), 200)
      assert.deepEqual(filled(await row('ada')), [])
      const owner = new Client(app)
      assert.equal(answers(await owner.login('ada', next), 200).mfa_required, undefined)
      assert.equal((await creator.get('/me')).statusCode, 401)
    })

    test('password reset: a secret that waits for its first code is gone as well', async (t) => {
      const { anyone, join, ask, row } = await mailApp(t, backend, { auth })
      const creator = await join('ada', { verified: false })
      answers(await creator.post('/mfa/totp/setup', { password }), 200)
      assert.deepEqual(filled(await row('ada')), ['totpSecretEncrypted'])
      const token = await ask('reset', 'ada')
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
      assert.deepEqual(filled(await row('ada')), [])
    })

    test('a provider that vouches for the address: the second factor is gone', async (t) => {
      const users = memoryUsers({ fields: [...fields, ...columns] })
      const { app } = await buildOAuth(t, { auth: { ...backend.options(), ...auth, users } })
      const creator = await browserOf(app, 'ada')
      await enroll(creator)
      await users.update(1, { totpLastStep: 1 })
      const waiting = await challengeOf(new Client(app), 'ada')
      const owner = new Browser(app)
      landsOn(await owner.signIn(ada), '/start')
      assert.equal((await owner.me()).user_id, 1)
      assert.deepEqual(filled(await users.findById(1)), [])
      assert.equal(await creator.me(), null)
      const late = await verify(new Client(app), waiting, '123456')
      assert.equal(late.json().code, 'CRUDAUTH_TOKEN_INVALID_OR_USED')
    })
  })

  describe(`${backend.name}: who merely has the mailbox of a verified account`, () => {
    test('password reset: the second factor stays', async (t) => {
      const { app, anyone, join, ask, row } = await mailApp(t, backend, { auth })
      const { secret } = await enroll(await join('ada'))
      const before = await row('ada')
      const token = await ask('reset', 'ada')
      const response = await anyone.post('/password/reset-confirm', { token, new_password: next })
      answers(response, 200)
      const after = await row('ada')
      for (const column of columns) assert.deepEqual(after[column], before[column])
      assert.deepEqual(filled(after), enrolledColumns)
      const client = new Client(app)
      const { challenge } = answers(await client.login('ada', next), 200)
      answers(await verify(client, challenge, codeAt(secret)), 200)
    })

    test('email change and its revert: the second factor stays', async (t) => {
      const { app, anyone, join, move, row } = await mailApp(t, backend, { auth })
      const client = await join('ada')
      const { secret } = await enroll(client)
      const token = await move(client, addressOf('ada'), 'thief@example.com')
      assert.deepEqual(filled(await row('ada')), enrolledColumns)
      answers(await anyone.post('/email/change-revert', { token }), 200)
      const { email, ...after } = await row('ada')
      assert.equal(email, addressOf('ada'))
      assert.deepEqual(filled(after), enrolledColumns)
      const other = new Client(app)
      answers(await verify(other, await challengeOf(other, 'ada'), codeAt(secret)), 200)
    })

    test('a sign-in with a provider links to it, and asks for the code', async (t) => {
      const users = memoryUsers({ fields: [...fields, ...columns] })
      const { app } = await buildOAuth(t, { auth: { ...backend.options(), ...auth, users } })
      const owner = await browserOf(app, 'ada')
      await users.update(1, { emailVerified: true })
      await enroll(owner)
      const browser = new Browser(app)
      const response = await browser.signIn(ada)
      assert.match(String(response.headers.location), /^\/start#mfa_challenge=/)
      assert.deepEqual(filled(await users.findById(1)), enrolledColumns)
      assert.equal(await browser.me(), null)
    })
  })

  test(`${backend.name}: deleteAccount empties the columns`, async (t) => {
    const app = await build(t, {
      auth: { ...backend.options(), ...auth },
      routes(app) {
        app.post('/delete', { onRequest: app.currentUser() }, async (request) => {
          await app.crudAuth.deleteAccount(request)
          return {}
        })
      },
    })
    const client = await signedIn(app, 'ada')
    await enroll(client)
    assert.equal((await client.post('/delete')).statusCode, 200)
    const row = await app.crudAuth.users.findById(1)
    assert.deepEqual(filled(row as never), [])
  })
}

for (const backend of backends) {
  test(`${backend.name}: messages tell the owner what happened to the second factor`, async (t) => {
    const { app, join, mail } = await mailApp(t, backend, { auth })
    const client = await join('ada')
    const { secret, recoveryCodes } = await enroll(client)
    const enabled = await mail.next(addressOf('ada'), 'mfa_enabled')
    const other = new Client(app)
    const [code = ''] = recoveryCodes
    answers(await verify(other, await challengeOf(other, 'ada'), code), 200)
    const used = await mail.next(addressOf('ada'), 'recovery_code_used')
    assert.match(used.text, /\b9\b/)
    answers(await client.post('/mfa/totp/disable', { code: codeAt(secret) }), 200)
    const disabled = await mail.next(addressOf('ada'), 'mfa_disabled')
    for (const message of [enabled, used, disabled]) {
      const text = JSON.stringify(message)
      for (const hidden of [secret, code, ...recoveryCodes]) assert.ok(!text.includes(hidden))
    }
  })
}

test('email revert: a former address that was never verified cannot undo the change of an enrolled account', async (t) => {
  const { anyone, join, move, row } = await mailApp(t, backends[0] as (typeof backends)[0], {
    auth,
  })
  const owner = await join('ada', { verified: false })
  await enroll(owner)
  const token = await move(owner, 'ada@example.com', 'ada@home.example')
  const before = await row('ada')
  refusesOwn(await anyone.post('/email/change-revert', { token }), 'CRUDAUTH_TOKEN_INVALID_OR_USED')
  assert.deepEqual(await row('ada'), before)
  answers(await owner.get('/me'), 200)
})

test('password reset: an unverified phone number does not remove the factor of who verified the address', async (t) => {
  const messages: { kind: string; token: string | null }[] = []
  const users = memoryUsers({
    fields: ['email', 'emailVerified', 'phone', 'phoneVerified', 'hashedPassword', ...columns],
  })
  const app = await build(t, {
    auth: {
      ...auth,
      users,
      identity: { login: ['email'], recovery: 'phone' },
      registration: { extraFields: ['phone'] },
      channels: [{ deliver: (intent) => void messages.push(intent) }],
    },
  })
  const client = new Client(app)
  const account = { email: 'ada@example.com', phone: '+4915112345678', password }
  assert.equal((await client.post('/register', account)).statusCode, 202)
  await app.crudAuth.delivery.settled()
  await users.update(1, { emailVerified: true })
  await client.login('ada@example.com')
  const setup = answers(await client.post('/mfa/totp/setup', { password }), 200)
  answers(await client.post('/mfa/totp/confirm', { code: codeAt(setup.secret) }), 200)
  answers(await client.post('/password/reset-request', { phone: account.phone }), 202)
  await app.crudAuth.delivery.settled()
  const token = messages.find(({ kind }) => kind === 'reset_password')?.token
  answers(await client.post('/password/reset-confirm', { token, new_password: next }), 200)
  assert.deepEqual(filled(await users.findById(1)), columns)
  assert.equal(
    answers(await new Client(app).login('ada@example.com', next), 200).mfa_required,
    true,
  )
})
