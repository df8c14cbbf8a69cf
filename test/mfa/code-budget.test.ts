import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { type SudoProof, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { mailApp } from '../helpers/email.js'
import { statusesOf } from '../helpers/everywhere.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enroll,
  enrolledUser,
  mfaOptions,
  verify,
  wrongCode,
} from '../helpers/mfa.js'

const auth = { mfa: { ...mfaOptions, maxAttempts: 100 }, lockout: false as const }

function sudoRoute(app: FastifyInstance) {
  app.post('/sudo', { preHandler: app.currentUser() }, async (request) => {
    await app.crudAuth.sudo.elevate(request, request.body as SudoProof)
    return {}
  })
}

for (const backend of backends) {
  describe(`${backend.name}: codes of one account, 100 in a day`, () => {
    test('of 150 wrong codes at several challenges, 100 are judged, without any lockout', async (t) => {
      const app = await build(t, { auth: { ...auth, ...backend.options() } })
      const { secret } = await enrolledUser(app, 'ada')
      const wrong = wrongCode(secret)
      const thief = new Client(app)
      const challenges = await Promise.all(
        Array.from({ length: 3 }, () => challengeOf(new Client(app), 'ada')),
      )
      const responses = await Promise.all(
        challenges.flatMap((challenge) =>
          Array.from({ length: 50 }, () => verify(thief, challenge, wrong)),
        ),
      )
      const judged = responses.filter(({ statusCode }) => statusCode === 401)
      assert.equal(judged.length, 100)
      for (const response of responses)
        if (response.statusCode !== 401) refusesOwn(response, 'CRUDAUTH_LOCKED_OUT')
      // A right code isn't judged either, and the challenge lives.
      const [challenge = ''] = challenges
      refusesOwn(await verify(thief, challenge, codeAt(secret)), 'CRUDAUTH_LOCKED_OUT')
    })

    test('a right code starts a new count', async (t) => {
      const app = await build(t, { auth: { ...auth, ...backend.options() } })
      const { secret } = await enrolledUser(app, 'ada')
      const wrong = wrongCode(secret)
      const tries = async (count: number) => {
        const client = new Client(app)
        const challenge = await challengeOf(client, 'ada')
        for (let i = 0; i < count; i++)
          refusesOwn(await verify(client, challenge, wrong), 'CRUDAUTH_MFA_CODE')
        return { client, challenge }
      }
      const { client, challenge } = await tries(60)
      answers(await verify(client, challenge, codeAt(secret)), 200)
      await allowCodesAgain(app, 'ada')
      await tries(60)
    })
  })

  test(`${backend.name}: a password reset doesn't give back failed codes`, async (t) => {
    const { app, anyone, join, mail } = await mailApp(t, backend, {
      auth: {
        ...auth,
        lockout: { maxAttemptsPerIp: 1000 },
        rateLimits: { password_reset_request: false },
      },
    })
    const { secret } = await enroll(await join('ada'))
    const wrong = wrongCode(secret)
    const address = 'ada@example.com'
    const counts: Record<number, number> = {}
    for (let cycle = 0; cycle < 25; cycle++) {
      await anyone.post('/password/reset-request', { email: address })
      const token = await mail.token(address, 'reset_password', cycle + 1)
      const phrase = `the phrase of cycle ${cycle}`
      answers(await anyone.post('/password/reset-confirm', { token, new_password: phrase }), 200)
      const thief = new Client(app)
      const { challenge } = answers(await thief.login('ada', phrase), 200)
      for (let i = 0; i < 5; i++) {
        const { statusCode } = await verify(thief, challenge, wrong)
        counts[statusCode] = (counts[statusCode] ?? 0) + 1
      }
    }
    assert.deepEqual(counts, { 401: 100, 429: 25 })
  })
}

test('known devices share one budget, however many there are', async (t) => {
  const app = await build(t, { auth: { ...auth, transports: [sessionTransport()] } })
  const devices = [await signedIn(app, 'ada')]
  for (let i = 0; i < 4; i++) {
    const device = new Client(app)
    answers(await device.login('ada'), 200)
    devices.push(device)
  }
  const { secret } = await enroll(devices[0] as Client)
  const wrong = wrongCode(secret)
  const responses = await Promise.all(
    devices.map(async (device) => {
      const challenge = await challengeOf(device, 'ada')
      return Promise.all(Array.from({ length: 50 }, () => verify(device, challenge, wrong)))
    }),
  )
  assert.deepEqual(statusesOf(responses.flat()), { 401: 100, 429: 150 })
})

test('a locked code is not counted in sudo mode: the password still elevates', async (t) => {
  const app = await build(t, { auth, routes: sudoRoute })
  const { client, secret } = await enrolledUser(app, 'ada')
  const code = wrongCode(secret)
  for (let i = 0; i < 100; i++)
    refusesOwn(await client.post('/mfa/totp/disable', { code }), 'CRUDAUTH_MFA_CODE')
  for (let i = 0; i < 5; i++)
    assert.equal((await client.post('/sudo', { code })).json().code, 'CRUDAUTH_LOCKED_OUT')
  assert.equal((await client.post('/sudo', { password })).statusCode, 200)
})

test('the devices of the owner have a budget of their own', async (t) => {
  const app = await build(t, { auth })
  const { client: owner, secret } = await enrolledUser(app, 'ada')
  const wrong = wrongCode(secret)
  const thief = new Client(app)
  const challenge = await challengeOf(thief, 'ada')
  await Promise.all(Array.from({ length: 100 }, () => verify(thief, challenge, wrong)))
  refusesOwn(
    await verify(thief, await challengeOf(thief, 'ada'), codeAt(secret)),
    'CRUDAUTH_LOCKED_OUT',
  )
  answers(await verify(owner, await challengeOf(owner, 'ada'), codeAt(secret)), 200)
})

test('sudo mode and management use the same budget', async (t) => {
  const app = await build(t, {
    auth: { ...auth, sudo: { maxAttempts: 1000 } },
    routes: sudoRoute,
  })
  const { client, secret } = await enrolledUser(app, 'ada')
  const code = wrongCode(secret)
  for (let i = 0; i < 50; i++) {
    assert.equal((await client.post('/sudo', { code })).json().code, 'CRUDAUTH_MFA_CODE')
    refusesOwn(await client.post('/mfa/totp/disable', { code }), 'CRUDAUTH_MFA_CODE')
  }
  const right = { code: codeAt(secret) }
  refusesOwn(await client.post('/mfa/recovery-codes/regenerate', right), 'CRUDAUTH_LOCKED_OUT')
  assert.equal((await client.post('/sudo', right)).json().code, 'CRUDAUTH_LOCKED_OUT')
})

test('a setup does not count: an administrator can reset an account whose codes are locked', async (t) => {
  const app = await build(t, { auth: { ...auth, mfa: { ...auth.mfa, required: true } } })
  const client = new Client(app)
  await client.register('ada')
  const first = answers(await client.login('ada'), 200)
  answers(await verify(client, first.challenge, codeAt(first.setup.secret)), 200)
  await allowCodesAgain(app, 'ada')
  const thief = new Client(app)
  const challenge = await challengeOf(thief, 'ada')
  const wrong = wrongCode(first.setup.secret)
  await Promise.all(Array.from({ length: 100 }, () => verify(thief, challenge, wrong)))
  const user = await app.crudAuth.users.findBy('username', 'ada')
  assert.ok(user)
  assert.equal(await app.crudAuth.mfa.disable(user), true)
  const owner = new Client(app)
  const setup = answers(await owner.login('ada'), 200)
  answers(await verify(owner, setup.challenge, codeAt(setup.setup.secret)), 200)
})
