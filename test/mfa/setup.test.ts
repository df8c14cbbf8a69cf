import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { asBearer, authorization } from '../helpers/bearer.js'
import { build, limitsOff, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { statuses, times } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
  wrongCode,
} from '../helpers/mfa.js'
import { mountHandLogin } from '../helpers/users.js'

const auth = { mfa: mfaOptions }
const manage = [
  '/mfa/totp/setup',
  '/mfa/totp/confirm',
  '/mfa/totp/disable',
  '/mfa/recovery-codes/regenerate',
]
const off = { enabled: false, required: false, recovery_codes_remaining: 0 }

const setUpTotp = async (client: Client, body: object = { password }) =>
  answers(await client.post('/mfa/totp/setup', body), 200) as {
    secret: string
    otpauth_uri: string
  }

describe('GET /mfa', () => {
  test('the status, from before the setup to the last recovery code', async (t) => {
    const app = await build(t, { auth: { mfa: { ...mfaOptions, recoveryCodes: 3 } } })
    refusesOwn(await new Client(app).get('/mfa'), 'CRUDAUTH_UNAUTHENTICATED')
    const client = await signedIn(app, 'ada')
    const status = async () => answers(await client.get('/mfa'), 200)
    assert.deepEqual(await status(), off)
    const { secret } = await setUpTotp(client)
    assert.deepEqual(await status(), off, 'a secret that waits is no second factor')
    const confirmed = await client.post('/mfa/totp/confirm', { code: codeAt(secret) })
    const { recovery_codes: codes } = answers(confirmed, 200)
    assert.deepEqual(await status(), {
      enabled: true,
      required: false,
      recovery_codes_remaining: 3,
    })
    await signInWithCode(new Client(app), 'ada', codes[0])
    assert.equal((await status()).recovery_codes_remaining, 2)
    const disabled = await client.post('/mfa/totp/disable', { code: codes[1] })
    assert.deepEqual(Object.keys(answers(disabled, 200)), ['detail'])
    assert.deepEqual(await status(), off)
  })
})

describe('POST /mfa/totp/setup and /mfa/totp/confirm', () => {
  test('the password is needed, and each setup has a new secret', async (t) => {
    const app = await build(t, { auth })
    const client = await signedIn(app, 'ada')
    for (const body of [{}, { password: 'wrong' }, { password: '' }])
      refusesOwn(await client.post('/mfa/totp/setup', body), 'CRUDAUTH_WRONG_PASSWORD')
    refusesOwn(await client.post('/mfa/totp/setup'), 'CRUDAUTH_WRONG_PASSWORD')
    const first = await setUpTotp(client)
    const second = await setUpTotp(client)
    assert.deepEqual(Object.keys(first).sort(), ['otpauth_uri', 'secret'])
    assert.notEqual(first.secret, second.secret)
    const stale = { code: codeAt(first.secret) }
    refusesOwn(await client.post('/mfa/totp/confirm', stale), 'CRUDAUTH_MFA_CODE')
    const wrong = { code: wrongCode(second.secret) }
    refusesOwn(await client.post('/mfa/totp/confirm', wrong), 'CRUDAUTH_MFA_CODE')
    const right = { code: codeAt(second.secret) }
    const { recovery_codes: codes } = answers(await client.post('/mfa/totp/confirm', right), 200)
    assert.equal(new Set(codes).size, 10)
    // Sessions stay, and the code of the confirmation is used up.
    answers(await client.get('/me'), 200)
    const challenge = await challengeOf(new Client(app), 'ada')
    refusesOwn(await verify(new Client(app), challenge, right.code), 'CRUDAUTH_MFA_CODE')
    answers(
      await verify(new Client(app), challenge, codeAt(second.secret, Date.now() + 30_000)),
      200,
    )
  })

  test('an account with a second factor is refused, and keeps it', async (t) => {
    const app = await build(t, { auth })
    const { client, secret } = await enrolledUser(app, 'ada')
    refusesOwn(await client.post('/mfa/totp/setup', { password }), 'CRUDAUTH_BAD_REQUEST')
    const code = codeAt(secret)
    refusesOwn(await client.post('/mfa/totp/confirm', { code }), 'CRUDAUTH_BAD_REQUEST')
    await signInWithCode(new Client(app), 'ada', code)
  })

  test('nothing waits: confirm, disable and regenerate are 400', async (t) => {
    const app = await build(t, { auth })
    const client = await signedIn(app, 'ada')
    for (const url of manage.slice(1)) {
      refusesOwn(await client.post(url, { code: '123456' }), 'CRUDAUTH_BAD_REQUEST')
      refusesOwn(await client.post(url, { code: 123_456 }), 'FST_ERR_VALIDATION')
      refusesOwn(await client.post(url, {}), 'FST_ERR_VALIDATION')
      refusesOwn(await client.post(url, { code: '1'.repeat(65) }), 'FST_ERR_VALIDATION')
    }
    await setUpTotp(client)
    for (const url of manage.slice(2))
      refusesOwn(await client.post(url, { code: '123456' }), 'CRUDAUTH_BAD_REQUEST')
    answers(await new Client(app).login('ada'), 200)
    assert.equal((await new Client(app).login('ada')).json().mfa_required, undefined)
  })

  test('of 50 parallel confirmations, one gets recovery codes', async (t) => {
    const app = await build(t, { auth })
    const client = await signedIn(app, 'ada')
    const { secret } = await setUpTotp(client)
    const code = codeAt(secret)
    const confirmed = await Promise.all(times(50, () => client.post('/mfa/totp/confirm', { code })))
    assert.deepEqual(statuses(confirmed), { 200: 1, 400: 49 })
    const winner = confirmed.find(({ statusCode }) => statusCode === 200)
    await signInWithCode(new Client(app), 'ada', winner?.json().recovery_codes[0])
  })

  test('an account without a password needs a fresh sign-in or sudo mode', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const app = await build(t, {
      auth,
      routes(app) {
        mountHandLogin(app)
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) =>
          app.crudAuth.sudo.elevate(request, { fresh: true }),
        )
      },
    })
    await new Client(app).register('ada')
    await app.crudAuth.users.update(1, { hashedPassword: null })
    const client = new Client(app)
    const signIn = async () => {
      client.csrf = (await client.post('/by-hand/ada')).json().csrf_token
    }
    await signIn()
    await setUpTotp(client, {})
    await setUpTotp(client, { password: 'ignored' })
    t.mock.timers.tick(601_000)
    const stale = await client.post('/mfa/totp/setup', { password })
    refusesOwn(stale, 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
    await signIn()
    t.mock.timers.tick(590_000)
    assert.equal((await client.post('/sudo')).statusCode, 200)
    t.mock.timers.tick(20_000)
    const { secret } = await setUpTotp(client, {})
    answers(await client.post('/mfa/totp/confirm', { code: codeAt(secret) }), 200)
  })
})

describe('POST /mfa/totp/disable and /mfa/recovery-codes/regenerate', () => {
  test('disable takes a code once, and removes everything', async (t) => {
    const app = await build(t, { auth })
    const { client, secret } = await enrolledUser(app, 'ada')
    const disable = (code: string) => client.post('/mfa/totp/disable', { code })
    refusesOwn(await disable(wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
    answers(await disable(codeAt(secret)), 200)
    refusesOwn(await disable(codeAt(secret)), 'CRUDAUTH_BAD_REQUEST')
    const row = (await app.crudAuth.users.findById(1)) as unknown as Record<string, unknown>
    for (const field of ['totpSecretEncrypted', 'totpConfirmedAt', 'totpLastStep'])
      assert.equal(row[field], null)
    assert.equal(row.mfaRecoveryCodes, null)
    assert.equal(answers(await new Client(app).login('ada'), 200).mfa_required, undefined)
  })

  test('regenerate replaces the recovery codes; the old ones are dead', async (t) => {
    const app = await build(t, { auth })
    const { client, secret, recoveryCodes } = await enrolledUser(app, 'ada')
    const regenerate = (code: string) => client.post('/mfa/recovery-codes/regenerate', { code })
    refusesOwn(await regenerate(wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
    const code = codeAt(secret)
    const { recovery_codes: renewed } = answers(await regenerate(code), 200)
    assert.equal(new Set([...renewed, ...recoveryCodes]).size, 20)
    refusesOwn(await regenerate(code), 'CRUDAUTH_MFA_CODE')
    const challenge = await challengeOf(new Client(app), 'ada')
    for (const code of recoveryCodes.slice(0, 3))
      refusesOwn(await verify(new Client(app), challenge, code), 'CRUDAUTH_MFA_CODE')
    answers(await verify(new Client(app), challenge, renewed[0]), 200)
    // A recovery code authorizes the change as well.
    const { recovery_codes: third } = answers(await regenerate(renewed[1]), 200)
    await signInWithCode(new Client(app), 'ada', third[9])
    await allowCodesAgain(app, 'ada')
    await signInWithCode(new Client(app), 'ada', codeAt(secret))
  })
})

describe('the four routes that manage the second factor', () => {
  test('they need the CSRF token', async (t) => {
    const app = await build(t, { auth })
    const { client, secret } = await enrolledUser(app, 'ada')
    client.csrf = null
    for (const url of manage)
      refusesOwn(await client.post(url, { code: codeAt(secret), password }), 'CRUDAUTH_CSRF')
    answers(await client.get('/mfa'), 200)
  })

  test('a bearer token needs the scope account, where the app grants it', async (t) => {
    const scopes = { grantableScopes: ['account', 'notes'], defaultScopes: ['notes'] }
    const app = await build(t, {
      auth: { ...auth, transports: [sessionTransport(), bearerTransport(scopes)] },
    })
    await new Client(app).register('ada')
    const tokenFor = async (scope: string) =>
      answers(await new Client(app).post('/token', { username: 'ada', password, scope }), 200)
        .access_token as string
    const [notes, account] = [await tokenFor('notes'), await tokenFor('account')]
    assert.deepEqual(answers(await asBearer(app, notes, '/mfa'), 200), off)
    const post = (token: string, url: string, payload: object) =>
      new Client(app).post(url, payload, { headers: authorization(token) })
    for (const url of manage)
      refusesOwn(await post(notes, url, { code: '123456' }), 'CRUDAUTH_INSUFFICIENT_SCOPE')
    const { secret } = answers(await post(account, manage[0] ?? '', { password }), 200)
    answers(await post(account, manage[1] ?? '', { code: codeAt(secret) }), 200)
    answers(
      await post(account, manage[2] ?? '', { code: codeAt(secret, Date.now() + 30_000) }),
      200,
    )
  })

  test('they share a limit of 10 an hour for each user', async (t) => {
    const { mfa_manage: _, ...rateLimits } = limitsOff
    const app = await build(t, { auth: { ...auth, rateLimits } })
    const ada = await signedIn(app, 'ada')
    const again = new Client(app)
    await again.login('ada')
    for (let count = 0; count < 10; count++) {
      const client = count % 2 === 0 ? ada : again
      const response = await client.post(manage[count % 4] ?? '', { code: '123456' })
      assert.notEqual(response.statusCode, 429)
      assert.equal(response.headers['x-ratelimit-limit'], '10')
    }
    for (const url of manage)
      refusesOwn(await ada.post(url, { code: '123456', password }), 'CRUDAUTH_RATE_LIMITED')
    answers(await ada.get('/mfa'), 200)
    await enrolledUser(app, 'bob')
  })
})
