import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { statuses, times } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enrolledUser,
  mfaOptions,
  verify,
  wrongCode,
} from '../helpers/mfa.js'
import { refuses } from '../helpers/refuses.js'

for (const backend of backends) {
  const setUp = async (t: Parameters<typeof build>[0], auth: object = {}) => {
    const failed: string[] = []
    const app = await build(t, {
      auth: {
        ...backend.options(),
        mfa: mfaOptions,
        hooks: { onMfaFailed: (_user, { purpose }) => failed.push(purpose) },
        ...auth,
      },
      routes(app) {
        app.post('/sudo', { onRequest: app.currentUser() }, async (request) => ({
          until: await app.crudAuth.sudo.elevate(request, request.body as { code: string }),
        }))
        app.get('/elevated', { onRequest: app.requireSudo }, async () => ({}))
      },
    })
    const ada = await enrolledUser(app, 'ada')
    const isElevated = async (client: Client) => (await client.get('/elevated')).statusCode === 200
    return { app, failed, ...ada, isElevated }
  }

  test(`${backend.name}: sudo.elevate: a code of the authenticator app, once`, async (t) => {
    const { app, client, secret, failed, isElevated } = await setUp(t)
    assert.equal(await isElevated(client), false)
    refuses(await client.post('/sudo', { code: wrongCode(secret) }), 'CRUDAUTH_MFA_CODE')
    assert.deepEqual(failed, ['sudo'])
    const code = codeAt(secret)
    const { until } = (await client.post('/sudo', { code })).json()
    assert.ok(Math.abs(Date.parse(until) - Date.now() - 300_000) < 20_000)
    assert.equal(await isElevated(client), true)
    const other = new Client(app)
    const challenge = await challengeOf(other, 'ada')
    const replayed = await verify(other, challenge, code)
    refuses(replayed, 'CRUDAUTH_MFA_CODE')
    answers(await verify(other, challenge, codeAt(secret, Date.now() + 30_000)), 200)
    refuses(await other.post('/sudo', { code }), 'CRUDAUTH_MFA_CODE')
    assert.equal(await isElevated(other), false)
    assert.equal((await other.post('/sudo', { password })).statusCode, 200)
  })

  test(`${backend.name}: sudo.elevate: a recovery code is refused, and stays valid`, async (t) => {
    const { app, client, recoveryCodes, isElevated } = await setUp(t)
    const code = recoveryCodes[0] ?? ''
    refuses(await client.post('/sudo', { code }), 'CRUDAUTH_MFA_CODE')
    assert.equal(await isElevated(client), false)
    const other = new Client(app)
    answers(await verify(other, await challengeOf(other, 'ada'), code), 200)
  })

  test(`${backend.name}: sudo.elevate: fresh is refused with a second factor, code without one`, async (t) => {
    const { app, client, secret } = await setUp(t)
    await app.crudAuth.users.update(1, { hashedPassword: null })
    const session = new Client(app)
    const row = (await app.crudAuth.users.findById(1)) as never
    const made = await app.crudAuth.sessions.create({ headers: {}, ip: '::1' } as never, row)
    session.cookies.set('__Host-crudauth_session', made.secretCookie)
    session.csrf = made.csrfToken
    refuses(await session.post('/sudo', { fresh: true }), 'CRUDAUTH_SUDO_REQUIRED')
    assert.equal((await session.post('/sudo', { code: codeAt(secret) })).statusCode, 200)
    const bob = await signedIn(app, 'bob')
    refuses(await bob.post('/sudo', { code: '123456' }), 'CRUDAUTH_SUDO_REQUIRED')
    for (const body of [{}, { code: 123_456 }, { fresh: false }])
      refuses(await bob.post('/sudo', body), 'CRUDAUTH_BAD_REQUEST')
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test(`${backend.name}: sudo.elevate: of 50 parallel wrong codes 3 are judged, then it locks`, async (t) => {
    const { app, client, secret, failed } = await setUp(t)
    const guesses = await Promise.all(
      times(50, () => client.post('/sudo', { code: wrongCode(secret) })),
    )
    assert.deepEqual(statuses(guesses), { 401: 3, 429: 47 })
    assert.deepEqual(failed, ['sudo', 'sudo', 'sudo'])
    for (const proof of [{ code: codeAt(secret) }, { password }])
      refuses(await client.post('/sudo', proof), 'CRUDAUTH_LOCKED_OUT')
    // Another session has attempts of its own.
    const other = new Client(app)
    answers(await verify(other, await challengeOf(other, 'ada'), codeAt(secret)), 200)
    await allowCodesAgain(app, 'ada')
    assert.equal((await other.post('/sudo', { code: codeAt(secret) })).statusCode, 200)
  })

  test(`${backend.name}: sudo.elevate: of 50 parallel right codes, one elevates`, async (t) => {
    const { app, client, secret, isElevated } = await setUp(t, { sudo: { maxAttempts: 100 } })
    const code = codeAt(secret)
    const elevated = await Promise.all(times(50, () => client.post('/sudo', { code })))
    assert.deepEqual(statuses(elevated), { 200: 1, 401: 49 })
    assert.equal(await isElevated(client), true)
    const other = new Client(app)
    refuses(await verify(other, await challengeOf(other, 'ada'), code), 'CRUDAUTH_MFA_CODE')
  })
}
