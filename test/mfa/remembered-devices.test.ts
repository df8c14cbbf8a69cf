import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bearerTransport, currentUser, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { secret as appSecret, type BuildOptions, build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enroll,
  enrolledUser,
  mfaOptions,
  verify,
} from '../helpers/mfa.js'

const cookie = '__Host-crudauth_mfa'
const days = 30
const mfa = { ...mfaOptions, rememberDeviceDays: days }
const remember = { remember_device: true }

/** An app that remembers devices, and a browser that it remembers. */
async function setUp(t: Parameters<typeof build>[0], options: BuildOptions = {}) {
  const app = await build(t, {
    routes(app) {
      app.get('/principal', { onRequest: currentUser() }, async ({ principal }) => principal.amr)
      app.get('/safe', { onRequest: currentUser({ mfa: true }) }, async () => ({}))
    },
    ...options,
    auth: { mfa, ...options.auth },
  })
  const ada = await enrolledUser(app, 'ada')
  const client = new Client(app)
  const verified = await verify(
    client,
    await challengeOf(client, 'ada'),
    codeAt(ada.secret),
    remember,
  )
  answers(verified, 200)
  await allowCodesAgain(app, 'ada')
  return { app, ...ada, client, verified }
}

/** Whether the browser is asked for the second factor. */
const isAsked = async (client: Client, name = 'ada', secret = password): Promise<boolean> =>
  answers(await client.login(name, secret), 200).mfa_required === true

/** A browser that has only the mark. */
function withMark(client: Client, value = client.cookies.get(cookie) ?? '') {
  const copy = new Client(client.app)
  copy.cookies.set(cookie, value)
  return copy
}

describe('a remembered device', () => {
  test('it is not asked again, and its session does not have mfa', async (t) => {
    const { client, verified } = await setUp(t)
    const set = setCookies(verified)[cookie]
    assert.equal(set?.maxAge, days * 86_400)
    assert.equal(set?.attributes, 'httponly; path=/; samesite=lax; secure')
    assert.deepEqual((await client.get('/principal')).json(), ['pwd', 'otp', 'mfa'])
    const again = withMark(client)
    assert.equal(await isAsked(again), false)
    assert.deepEqual((await again.get('/principal')).json(), ['pwd'])
    assert.equal((await again.get('/safe')).json().code, 'CRUDAUTH_MFA_REQUIRED')
    assert.equal(await isAsked(new Client(client.app)), true)
  })

  test('rememberDeviceDays: 0, and no remember_device, set no cookie', async (t) => {
    for (const [options, more] of [
      [mfaOptions, remember],
      [mfa, {}],
      [mfa, { remember_device: false }],
      [mfa, { remember_device: 'false' }],
    ] as const) {
      const app = await build(t, { auth: { mfa: options } })
      const { secret } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const response = await verify(client, await challengeOf(client, 'ada'), codeAt(secret), more)
      answers(response, 200)
      assert.equal(setCookies(response)[cookie], undefined)
      assert.equal(await isAsked(client), true)
    }
  })

  test('the mark does not replace the password, and a wrong code sets none', async (t) => {
    const { client, app } = await setUp(t)
    refusesOwn(await withMark(client).login('ada', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
    refusesOwn(await withMark(client).get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    const other = new Client(app)
    const wrong = await verify(other, await challengeOf(other, 'ada'), 'aaaa', remember)
    refusesOwn(wrong, 'CRUDAUTH_MFA_CODE')
    assert.deepEqual(setCookies(wrong), {})
  })

  test('the mark ends after its days', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const { client } = await setUp(t)
    t.mock.timers.tick(days * 86_400_000 - 5000)
    assert.equal(await isAsked(withMark(client)), false)
    t.mock.timers.tick(5000)
    assert.equal(await isAsked(withMark(client)), true)
  })

  test('a tampered mark is worth nothing', async (t) => {
    const { client } = await setUp(t)
    const value = client.cookies.get(cookie) ?? ''
    const [end = '', signature = ''] = value.split('.')
    const later = (Number.parseInt(end, 36) + 86_400).toString(36)
    for (const forged of [
      `${later}.${signature}`,
      `${end}.`,
      `${end}.${signature.slice(0, -1)}`,
      `${end}.${signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`,
      `${end}${signature}`,
      `.${signature}`,
      '~~~',
      'zzzzzz.',
    ])
      assert.equal(await isAsked(withMark(client, forged)), true, forged)
    assert.equal(await isAsked(withMark(client, value)), false)
  })

  test('a new password ends it', async (t) => {
    const { client } = await setUp(t)
    const next = 'another good one'
    const change = { current_password: password, new_password: next }
    answers(await client.post('/change-password', change), 200)
    assert.equal(await isAsked(withMark(client), 'ada', next), true)
  })

  test('new recovery codes end it', async (t) => {
    const { app, client, secret } = await setUp(t)
    await app.crudAuth.mfa.regenerateRecoveryCodes((await app.crudAuth.users.findById(1)) as never)
    assert.equal(await isAsked(withMark(client)), true)
    const response = await verify(
      client,
      await challengeOf(client, 'ada'),
      codeAt(secret),
      remember,
    )
    answers(response, 200)
    assert.equal(await isAsked(withMark(client)), false)
    await allowCodesAgain(app, 'ada')
    const code = codeAt(secret)
    answers(await client.post('/mfa/recovery-codes/regenerate', { code }), 200)
    assert.equal(await isAsked(withMark(client)), true)
  })

  test('a disabled factor ends it, also after a new enrollment', async (t) => {
    const { client, secret } = await setUp(t)
    answers(await client.post('/mfa/totp/disable', { code: codeAt(secret) }), 200)
    assert.equal(await isAsked(withMark(client)), false, 'without a second factor')
    await enroll(client)
    assert.equal(await isAsked(withMark(client)), true)
  })

  test('each user of a browser has a mark; a sixth user displaces the oldest', async (t) => {
    const { app, client } = await setUp(t)
    assert.equal(await isAsked(withMark(client)), false)
    for (const name of ['user1', 'user2', 'user3', 'user4', 'user5']) {
      const { secret } = await enrolledUser(app, name)
      assert.equal(await isAsked(withMark(client), name), true)
      const challenge = await challengeOf(client, name)
      answers(await verify(client, challenge, codeAt(secret), remember), 200)
      assert.equal(await isAsked(withMark(client), name), false)
      assert.equal(await isAsked(withMark(client), 'user1'), false)
    }
    assert.equal(await isAsked(withMark(client)), true)
  })

  test('a setup at sign-in is remembered as well', async (t) => {
    const app = await build(t, { auth: { mfa: { ...mfa, required: true } } })
    const client = new Client(app)
    await client.register('ada')
    const { challenge, setup } = answers(await client.login('ada'), 200)
    answers(await verify(client, challenge, codeAt(setup.secret), remember), 200)
    assert.equal(await isAsked(withMark(client)), false)
    assert.equal(await isAsked(new Client(app)), true)
  })

  test('a mark of a predecessor of the secret is valid', async (t) => {
    const old = 'tY7Zr8Lw5Vt1Bn0Hc4Yd6Pf0Gsk3J9x0Qm2-old'
    const first = await setUp(t, { auth: { secret: old } })
    const second = await build(t, {
      auth: { mfa, secret: [appSecret, old], users: first.app.crudAuth.users as never },
    })
    const moved = new Client(second)
    moved.cookies.set(cookie, first.client.cookies.get(cookie) ?? '')
    assert.equal(await isAsked(moved), false)
    const third = await build(t, { auth: { mfa, users: first.app.crudAuth.users as never } })
    const gone = new Client(third)
    gone.cookies.set(cookie, first.client.cookies.get(cookie) ?? '')
    assert.equal(await isAsked(gone), true)
  })

  test('tokens: /token remembers too, and then refuses cross-site requests', async (t) => {
    const transports = [sessionTransport(), bearerTransport({ refresh: 'body' })]
    const { app, secret } = await setUp(t, { auth: { transports } })
    const client = new Client(app)
    const credentials = { username: 'ada', password }
    const { challenge } = answers(await client.post('/token', credentials), 200)
    const body = { challenge, code: codeAt(secret), ...remember }
    const foreign = { headers: { 'sec-fetch-site': 'cross-site' } }
    refusesOwn(await client.post('/mfa/verify', body, foreign), 'CRUDAUTH_CROSS_SITE')
    answers(await client.post('/mfa/verify', body), 200)
    assert.equal(
      typeof answers(await client.post('/token', credentials), 200).access_token,
      'string',
    )
  })
})
