import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { deviceCookie, times } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enroll,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
  wrongCode,
} from '../helpers/mfa.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'
const auth = { mfa: mfaOptions }
const idOf = 1

describe('POST /mfa/verify: which challenges are valid', () => {
  test('an unknown or malformed challenge is refused', async (t) => {
    const app = await build(t, { auth })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    const other = `${challenge.startsWith('A') ? 'B' : 'A'}${challenge.slice(1)}`
    for (const token of [other, '', 'x', `${challenge}A`, challenge.slice(1), `${challenge} `])
      refusesOwn(await verify(client, token, codeAt(secret)), invalid)
    for (const body of [{ code: codeAt(secret) }, { challenge }, { challenge, code: 123_456 }])
      refusesOwn(await client.post('/mfa/verify', body), 'FST_ERR_VALIDATION')
    answers(await verify(client, challenge, codeAt(secret)), 200)
  })

  test('a challenge ends after challengeSeconds', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const app = await build(t, { auth: { mfa: { ...mfaOptions, challengeSeconds: 60 } } })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    assert.equal(answers(await client.login('ada'), 200).expires_in, 60)
    const [late, early] = [await challengeOf(client, 'ada'), await challengeOf(client, 'ada')]
    t.mock.timers.tick(59_999)
    answers(await verify(new Client(app), early, codeAt(secret)), 200)
    t.mock.timers.tick(1)
    await allowCodesAgain(app, 'ada')
    refusesOwn(await verify(client, late, codeAt(secret)), invalid)
  })

  test('a challenge is used up by a sign-in', async (t) => {
    const app = await build(t, { auth })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    answers(await verify(client, challenge, codeAt(secret)), 200)
    await allowCodesAgain(app, 'ada')
    refusesOwn(await verify(client, challenge, codeAt(secret)), invalid)
  })

  test('a challenge of one user never signs in another', async (t) => {
    const app = await build(t, { auth })
    const ada = await enrolledUser(app, 'ada')
    const mallory = await enrolledUser(app, 'mallory')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'mallory')
    refusesOwn(await verify(client, challenge, codeAt(ada.secret)), 'CRUDAUTH_MFA_CODE')
    for (const code of ada.recoveryCodes.slice(0, 2))
      refusesOwn(await verify(client, challenge, code), 'CRUDAUTH_MFA_CODE')
    const body = answers(await verify(client, challenge, codeAt(mallory.secret)), 200)
    assert.equal(body.username, 'mallory')
    assert.equal(answers(await client.get('/me'), 200).username, 'mallory')
  })
})

describe('POST /mfa/verify: the browser of the challenge', () => {
  test('another browser is refused before anything is counted', async (t) => {
    const app = await build(t, { auth: { ...auth, lockout: { maxAttempts: 5 } } })
    const { client: owner, secret } = await enrolledUser(app, 'ada')
    const challenge = await challengeOf(owner, 'ada')
    const stranger = await signedIn(app, 'mallory')
    for (const thief of [new Client(app), stranger]) {
      for (const code of times(6, () => wrongCode(secret)))
        refusesOwn(await verify(thief, challenge, code), invalid)
      refusesOwn(await verify(thief, challenge, codeAt(secret)), invalid)
      refusesOwn(await thief.post('/mfa/challenge', { challenge }), invalid)
    }
    answers(await verify(owner, challenge, codeAt(secret)), 200)
  })

  test('the challenge of a browser without a device cookie is not bound to it', async (t) => {
    const app = await build(t, { auth })
    const { secret } = await enrolledUser(app, 'ada')
    const challenge = await challengeOf(new Client(app), 'ada')
    answers(await verify(await signedIn(app, 'bob'), challenge, codeAt(secret)), 200)
  })

  test('a forged device cookie does not pass for the one of the owner', async (t) => {
    const app = await build(t, { auth })
    const { client: owner, secret } = await enrolledUser(app, 'ada')
    const challenge = await challengeOf(owner, 'ada')
    const [id = ''] = (owner.cookies.get(deviceCookie) ?? '').split('.')
    const thief = new Client(app)
    for (const forged of [id, `${id}.`, `${id}.${'A'.repeat(22)}`]) {
      thief.cookies.set(deviceCookie, forged)
      refusesOwn(await verify(thief, challenge, codeAt(secret)), invalid)
    }
  })

  test('a cross-site request is refused before anything is counted (login CSRF)', async (t) => {
    const app = await build(t, { auth: { mfa: { ...mfaOptions, maxAttempts: 2 } } })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    const foreign = { headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' } }
    for (const code of times(5, () => codeAt(secret))) {
      const response = await client.post('/mfa/verify', { challenge, code }, foreign)
      refusesOwn(response, 'CRUDAUTH_CROSS_SITE')
      assert.deepEqual(setCookies(response), {})
    }
    answers(await verify(client, challenge, codeAt(secret)), 200)
  })
})

describe('POST /mfa/verify: the account changes between password and code', () => {
  /** An enrolled user, and a browser with a challenge. */
  const setUp = async (t: Parameters<typeof build>[0], users: UserStore = memoryUsers()) => {
    const app = await build(t, { auth: { ...auth, users } })
    const ada = await enrolledUser(app, 'ada')
    const client = new Client(app)
    return { app, ...ada, owner: ada.client, client, challenge: await challengeOf(client, 'ada') }
  }

  test('a new password ends the challenge', async (t) => {
    const { owner, client, challenge, secret } = await setUp(t)
    const change = { current_password: password, new_password: 'another good one' }
    answers(await owner.post('/change-password', change), 200)
    refusesOwn(await client.post('/mfa/challenge', { challenge }), invalid)
    refusesOwn(await verify(client, challenge, codeAt(secret)), invalid)
    refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('a disabled account is refused, and no code is judged', async (t) => {
    const { app, client, challenge, secret } = await setUp(t)
    await app.crudAuth.users.update(idOf, { isActive: false })
    refusesOwn(await client.post('/mfa/challenge', { challenge }), invalid)
    for (const code of times(6, () => [codeAt(secret), wrongCode(secret)]).flat())
      refusesOwn(await verify(client, challenge, code), invalid)
    // Nothing was guessed, so no attempt was used up.
    await app.crudAuth.users.update(idOf, { isActive: true })
    answers(await verify(client, challenge, codeAt(secret)), 200)
  })

  test('a deleted account is refused', async (t) => {
    const inner = memoryUsers()
    let deleted = false
    const users = { ...inner, findById: async (id: never) => (deleted ? null : inner.findById(id)) }
    const { client, challenge, secret } = await setUp(t, users)
    deleted = true
    refusesOwn(await verify(client, challenge, codeAt(secret)), invalid)
    refusesOwn(await client.post('/mfa/challenge', { challenge }), invalid)
  })

  test('an account that was made again under the same id is another one', async (t) => {
    let inner = memoryUsers()
    const users: UserStore = {
      fields: inner.fields,
      findById: (id) => inner.findById(id),
      findBy: (field, value) => inner.findBy(field, value),
      create: (values) => inner.create(values),
      update: (id, values) => inner.update(id, values),
      compareAndSet: (id, expected, values) => inner.compareAndSet(id, expected, values),
    }
    const { app, client, challenge } = await setUp(t, users)
    inner = memoryUsers()
    const again = await enrolledUser(app, 'ada')
    assert.equal(answers(await again.client.get('/me'), 200).id, idOf)
    refusesOwn(await verify(client, challenge, codeAt(again.secret)), invalid)
    await signInWithCode(new Client(app), 'ada', codeAt(again.secret))
  })

  test('a challenge ends when the second factor is disabled', async (t) => {
    const { app, owner, client, challenge, secret } = await setUp(t)
    answers(await owner.post('/mfa/totp/disable', { code: codeAt(secret) }), 200)
    for (const code of [codeAt(secret), wrongCode(secret)])
      refusesOwn(await verify(client, challenge, code), invalid)
    assert.equal(await app.crudAuth.mfa.isEnrolled({ id: idOf } as never), false)
  })

  test('after a new enrollment, a challenge takes codes of the new secret only', async (t) => {
    const { owner, client, challenge, secret, recoveryCodes } = await setUp(t)
    answers(await owner.post('/mfa/totp/disable', { code: codeAt(secret) }), 200)
    const renewed = await enroll(owner)
    for (const code of [codeAt(secret), recoveryCodes[0] ?? ''])
      refusesOwn(await verify(client, challenge, code), 'CRUDAUTH_MFA_CODE')
    answers(await verify(client, challenge, codeAt(renewed.secret)), 200)
  })
})
