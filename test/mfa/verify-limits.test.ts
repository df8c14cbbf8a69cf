import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
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
import { refuses } from '../helpers/refuses.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

/** Collects what `onMfaFailed` reports: one entry per code that was judged and wrong. */
const judged = () => {
  const purposes: string[] = []
  const onMfaFailed = (_user: unknown, { purpose }: { purpose: string }) => purposes.push(purpose)
  return { purposes, hooks: { onMfaFailed } }
}

for (const backend of backends) {
  describe(`${backend.name}: POST /mfa/verify: attempts of a challenge`, () => {
    test('of 100 parallel wrong codes, exactly maxAttempts are judged', async (t) => {
      noUnhandledRejections(t)
      const { purposes, hooks } = judged()
      const app = await build(t, {
        auth: { ...backend.options(), hooks, lockout: false, mfa: mfaOptions },
      })
      const { secret } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      const guesses = await Promise.all(
        times(100, () => verify(client, challenge, wrongCode(secret))),
      )
      assert.deepEqual(statuses(guesses), { 400: 95, 401: 5 })
      assert.deepEqual(
        purposes,
        times(5, () => 'sign_in'),
      )
      refusesOwn(await verify(client, challenge, codeAt(secret)), invalid)
      // The next password gives a challenge of its own.
      await signInWithCode(client, 'ada', codeAt(secret))
    })

    test('of 100 parallel right codes, one signs in', async (t) => {
      noUnhandledRejections(t)
      const mfa = { ...mfaOptions, maxAttempts: 100 }
      const app = await build(t, { auth: { ...backend.options(), lockout: false, mfa } })
      const { client: owner, secret } = await enrolledUser(app, 'ada')
      const challenge = await challengeOf(new Client(app), 'ada')
      const clients = times(100, () => new Client(app))
      const verified = await Promise.all(
        clients.map((client) => verify(client, challenge, codeAt(secret))),
      )
      assert.equal(statuses(verified)[200], 1)
      for (const response of verified.filter(({ statusCode }) => statusCode !== 200))
        refuses(response, response.statusCode === 401 ? 'CRUDAUTH_MFA_CODE' : invalid)
      assert.equal(answers(await owner.get('/sessions'), 200).length, 2)
    })

    test('one code signs in at one of 50 challenges', async (t) => {
      noUnhandledRejections(t)
      const app = await build(t, {
        auth: { ...backend.options(), lockout: false, mfa: mfaOptions },
      })
      const { client: owner, secret } = await enrolledUser(app, 'ada')
      const challenges = await Promise.all(times(50, () => challengeOf(new Client(app), 'ada')))
      const code = codeAt(secret)
      const verified = await Promise.all(
        challenges.map((challenge) => verify(new Client(app), challenge, code)),
      )
      assert.deepEqual(statuses(verified), { 200: 1, 401: 49 })
      assert.equal(answers(await owner.get('/sessions'), 200).length, 2)
    })

    test('50 recovery codes in parallel sign in once with one challenge', async (t) => {
      noUnhandledRejections(t)
      const mfa = { ...mfaOptions, maxAttempts: 100, recoveryCodes: 50 }
      const app = await build(t, { auth: { ...backend.options(), lockout: false, mfa } })
      const { client: owner, recoveryCodes } = await enrolledUser(app, 'ada')
      const challenge = await challengeOf(new Client(app), 'ada')
      const verified = await Promise.all(
        recoveryCodes.map((code) => verify(new Client(app), challenge, code)),
      )
      assert.equal(statuses(verified)[200], 1, JSON.stringify(statuses(verified)))
      assert.equal(answers(await owner.get('/sessions'), 200).length, 2)
    })
  })
}

describe('POST /mfa/verify: the lockout', () => {
  test('it counts codes, and 429 leaves the challenge valid', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const { purposes, hooks } = judged()
    const locked: string[] = []
    const app = await build(t, {
      auth: {
        mfa: { ...mfaOptions, maxAttempts: 3 },
        lockout: { maxAttempts: 2, lockSeconds: 60, windowSeconds: 60 },
        hooks: { ...hooks, onLockout: ({ reason }) => locked.push(reason) },
      },
    })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    for (let tries = 0; tries < 2; tries++)
      refusesOwn(await verify(client, challenge, wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
    for (let tries = 0; tries < 10; tries++)
      refusesOwn(await verify(client, challenge, codeAt(secret)), 'CRUDAUTH_LOCKED_OUT')
    refusesOwn(await new Client(app).login('ada'), 'CRUDAUTH_LOCKED_OUT')
    assert.equal(purposes.length, 2)
    assert.deepEqual([...new Set(locked)], ['identifier'])
    t.mock.timers.tick(61_000)
    answers(await verify(client, challenge, codeAt(secret)), 200)
  })

  test('the hook gets the identifier as it was typed at the sign-in', async (t) => {
    const locked: string[] = []
    const app = await build(t, {
      auth: {
        mfa: { ...mfaOptions, maxAttempts: 9 },
        lockout: { maxAttempts: 1 },
        hooks: { onLockout: ({ identifier }) => locked.push(identifier) },
      },
    })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    const challenge = await challengeOf(client, 'ada')
    refusesOwn(await verify(client, challenge, wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
    refusesOwn(await verify(client, challenge, wrongCode(secret)), 'CRUDAUTH_LOCKED_OUT')
    assert.deepEqual([...new Set(locked)], ['ada'], 'not the email')
    refusesOwn(await new Client(app).login('ada'), 'CRUDAUTH_LOCKED_OUT')
  })

  test('right passwords count nothing, and a right code clears the failures', async (t) => {
    const app = await build(t, { auth: { mfa: mfaOptions, lockout: { maxAttempts: 4 } } })
    const { secret } = await enrolledUser(app, 'ada')
    for (let logins = 0; logins < 8; logins++) await challengeOf(new Client(app), 'ada')
    for (let rounds = 0; rounds < 3; rounds++) {
      // A browser without a device cookie each time: a known device has a budget of its own.
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      for (let tries = 0; tries < 3; tries++)
        refusesOwn(await verify(client, challenge, wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
      answers(await verify(client, challenge, codeAt(secret)), 200)
      await allowCodesAgain(app, 'ada')
    }
  })

  /** Signs in with the password and guesses one code, again and again. Returns the last status. */
  const alternate = async (app: FastifyInstance, secret: string, url: string) => {
    let status = 0
    for (let rounds = 0; rounds < 20; rounds++) {
      const client = new Client(app)
      const login = await client.form(url, { username: 'ada', password })
      status = login.statusCode
      if (status === 429) continue
      const { challenge } = answers(login, 200)
      status = (await verify(client, challenge, wrongCode(secret))).statusCode
    }
    return status
  }

  for (const url of ['/login', '/token', '/by-hand']) {
    test(`alternating password and code at ${url} does not reset it`, async (t) => {
      const { purposes, hooks } = judged()
      const { bearerTransport, sessionTransport } = await import('../../src/index.js')
      const app = await build(t, {
        auth: {
          hooks,
          transports: [sessionTransport(), bearerTransport()],
          mfa: mfaOptions,
          lockout: { maxAttempts: 5 },
        },
        routes(app) {
          app.addContentTypeParser(
            'application/x-www-form-urlencoded',
            {},
            async (_: unknown) => {},
          )
          app.post('/by-hand', async (request, reply) => {
            reply.header('cache-control', 'no-store')
            const user = await app.crudAuth.authenticatePassword(request, 'ada', password)
            return app.crudAuth.completeLogin(request, reply, user, { amr: ['pwd'] })
          })
        },
      })
      const { secret } = await enrolledUser(app, 'ada')
      assert.equal(await alternate(app, secret, url), 429)
      assert.equal(purposes.length, 5, `${purposes.length} codes were judged`)
    })
  }

  test('a known device has a budget of its own, which codes use up too', async (t) => {
    const { purposes, hooks } = judged()
    const app = await build(t, { auth: { hooks, mfa: mfaOptions, lockout: { maxAttempts: 3 } } })
    const { client: owner, secret } = await enrolledUser(app, 'ada')
    assert.equal(await alternate(app, secret, '/login'), 429)
    assert.equal(purposes.length, 3)
    const challenge = await challengeOf(owner, 'ada')
    for (let tries = 0; tries < 3; tries++)
      refusesOwn(await verify(owner, challenge, wrongCode(secret)), 'CRUDAUTH_MFA_CODE')
    refusesOwn(await verify(owner, challenge, codeAt(secret)), 'CRUDAUTH_LOCKED_OUT')
  })
})
