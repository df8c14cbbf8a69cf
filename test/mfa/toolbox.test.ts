import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { memoryUsers, mfaRoutes, type RegisteredUser } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { secret as appSecret, build, cheap, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
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

const refused = (code: string, statusCode: number) => ({ code, statusCode })
const badRequest = refused('CRUDAUTH_BAD_REQUEST', 400)

/** An app with a user who has no second factor. `user` reads the row. */
async function setUp(t: Parameters<typeof build>[0], mfa: object = {}) {
  const events: string[] = []
  const tell = (name: string) => (_user: unknown, context: { request: object | null }) =>
    events.push(`${name} ${context.request === null ? 'by the app' : 'by a request'}`)
  const app = await build(t, {
    auth: {
      mfa: { ...mfaOptions, ...mfa },
      hooks: {
        onMfaEnabled: tell('enabled'),
        onMfaDisabled: tell('disabled'),
        onRecoveryCodeUsed: tell('recovery'),
      },
    },
  })
  const client = await signedIn(app, 'ada')
  const user = async () => (await app.crudAuth.users.findById(1)) as RegisteredUser
  return { app, client, user, events, mfa: app.crudAuth.mfa }
}

describe('app.crudAuth.mfa', () => {
  test('a setup by the code of the app, from beginSetup to disable', async (t) => {
    const { app, client, user, events, mfa } = await setUp(t)
    assert.equal(await mfa.isEnrolled(await user()), false)
    await assert.rejects(mfa.confirmSetup(await user(), '123456'), badRequest)
    await assert.rejects(mfa.regenerateRecoveryCodes(await user()), badRequest)
    assert.equal(await mfa.verifyCode(await user(), '123456'), false)
    assert.equal(await mfa.disable(await user()), false)

    const { secret, otpauthUri } = await mfa.beginSetup(await user())
    assert.ok(otpauthUri.includes(`secret=${secret}&`))
    assert.equal(await mfa.isEnrolled(await user()), false)
    const wrong = mfa.confirmSetup(await user(), wrongCode(secret))
    await assert.rejects(wrong, refused('CRUDAUTH_MFA_CODE', 401))
    const first = codeAt(secret)
    const codes = await mfa.confirmSetup(await user(), first)
    assert.equal(codes.length, 10)
    assert.equal(await mfa.isEnrolled(await user()), true)
    const status = { enabled: true, required: false, recoveryCodesRemaining: 10 }
    assert.deepEqual(await mfa.status(await user()), status)
    await assert.rejects(mfa.confirmSetup(await user(), codeAt(secret)), badRequest)

    assert.equal(await mfa.verifyCode(await user(), first), false, 'used by the setup')
    await allowCodesAgain(app, 'ada')
    assert.equal(await mfa.verifyCode(await user(), codeAt(secret)), true)
    assert.equal(await mfa.verifyCode(await user(), codes[0] ?? ''), true)
    const renewed = await mfa.regenerateRecoveryCodes(await user())
    assert.equal(await mfa.verifyCode(await user(), codes[1] ?? ''), false)
    assert.equal(await mfa.verifyCode(await user(), renewed[1] ?? ''), true)
    assert.equal(await mfa.disable(await user()), true)
    assert.equal(await mfa.disable(await user()), false)
    assert.deepEqual(events, [
      'enabled by the app',
      'recovery by the app',
      'recovery by the app',
      'disabled by the app',
    ])
    assert.equal(answers(await client.get('/mfa'), 200).enabled, false)
  })

  test('beginSetup refuses an enrolled account, which keeps its factor', async (t) => {
    const { app, mfa } = await setUp(t)
    const { secret } = await enrolledUser(app, 'bob')
    const bob = (await app.crudAuth.users.findById(2)) as RegisteredUser
    await assert.rejects(mfa.beginSetup(bob), badRequest)
    await signInWithCode(new Client(app), 'bob', codeAt(secret))
  })

  test('a row that was read before the change, a view and a copy are judged as of now', async (t) => {
    const { user, mfa } = await setUp(t)
    const old = await user()
    const { secret } = await mfa.beginSetup(old)
    await mfa.confirmSetup(old, codeAt(secret))
    for (const row of [
      old,
      { ...old },
      { id: 1 } as never,
      { id: 1, hashedPassword: 'x' } as never,
    ])
      assert.equal(await mfa.isEnrolled(row), true)
    await assert.rejects(mfa.beginSetup(old), badRequest)
    assert.equal(await mfa.disable(old), true)
    assert.equal(await mfa.isEnrolled(old), false)
  })

  test('a user that does not exist is refused', async (t) => {
    const { mfa } = await setUp(t)
    const nobody = { id: 99 } as never
    const forbidden = refused('CRUDAUTH_FORBIDDEN', 403)
    for (const call of [
      mfa.isEnrolled(nobody),
      mfa.status(nobody),
      mfa.beginSetup(nobody),
      mfa.confirmSetup(nobody, '123456'),
      mfa.verifyCode(nobody, '123456'),
      mfa.disable(nobody),
      mfa.regenerateRecoveryCodes(nobody),
    ])
      await assert.rejects(call, forbidden)
  })

  test('isRequired asks the function, for the transport of the question', async (t) => {
    const required = (_user: unknown, { transport }: { transport: string }) =>
      transport === 'session'
    const { user, mfa } = await setUp(t, { required })
    assert.equal(await mfa.isRequired(await user()), true)
    assert.equal(await mfa.isRequired(await user(), { transport: 'bearer' }), false)
    assert.equal((await mfa.status(await user(), { transport: 'bearer' })).required, false)
  })

  test('disable is the reset of an administrator, also where a factor is required', async (t) => {
    const { app, client, user, mfa } = await setUp(t, { required: true })
    const begun = answers(await new Client(app).login('ada'), 200)
    const code = codeAt(begun.setup.secret)
    answers(await verify(new Client(app), begun.challenge, code), 200)
    const waiting = await challengeOf(new Client(app), 'ada')
    assert.equal(await mfa.disable(await user()), true)
    const late = await verify(new Client(app), waiting, code)
    refusesOwn(late, 'CRUDAUTH_TOKEN_INVALID_OR_USED')
    assert.ok('setup' in answers(await new Client(app).login('ada'), 200))
    refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })
})

test('mfaRoutes: mounted under a prefix, and refused without the option', async (t) => {
  const options = { secret: appSecret, users: memoryUsers(), passwords: { cost: cheap } }
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, { ...options, mfa: mfaOptions, routes: ['account', 'session'] })
  await app.register(mfaRoutes, { prefix: '/second' })
  const client = await signedIn(app, 'ada')
  assert.equal((await client.get('/mfa')).statusCode, 404)
  const setup = answers(await client.post('/second/mfa/totp/setup', { password }), 200)
  const code = codeAt(setup.secret)
  answers(await client.post('/second/mfa/totp/confirm', { code }), 200)
  await allowCodesAgain(app, 'ada')
  const challenge = await challengeOf(client, 'ada')
  answers(await client.post('/second/mfa/verify', { challenge, code }), 200)

  const without = Fastify()
  t.after(() => without.close())
  await without.register(crudAuth, options)
  await assert.rejects(async () => without.register(mfaRoutes), {
    code: 'CRUDAUTH_CONFIG',
    message: /need the option "mfa"/,
  })
})
