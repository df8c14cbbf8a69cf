import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { serverUrl } from '../helpers/backends.js'
import { breakableRedis } from '../helpers/breakable-redis.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enroll,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
} from '../helpers/mfa.js'
import { refuses } from '../helpers/refuses.js'
import { countingUsers } from '../helpers/users.js'

const url = serverUrl('TEST_REDIS_URL')
const skip = url ? false : 'TEST_REDIS_URL is not set'
/** So few attempts that one that stays counted shows. */
const auth = { mfa: { ...mfaOptions, maxAttempts: 2 }, lockout: { maxAttempts: 2 } }

/** The steps of POST /mfa/verify that need Redis, by a part of their command. */
const steps: readonly (readonly [string, RegExp])[] = [
  ['the challenge is looked up', /^get crudauth\/o:/],
  ['the attempt at the challenge is counted', /^eval.* crudauth\/l:\{mfa:/],
  ['the attempt at the account is counted', /^eval.* crudauth\/l:\{lock:/],
  ['the challenge is used up', /^getdel /],
  ['the session is created', /^eval.* crudauth\/s:/],
]

/** A right code that fails: 503, and nothing authenticates. */
async function isUnavailable(client: Client, challenge: string, code: string) {
  const response = await verify(client, challenge, code)
  refuses(response, 'CRUDAUTH_UNAVAILABLE', [challenge, code])
  assert.equal(response.headers['set-cookie'], undefined)
  assert.deepEqual([...client.cookies], [])
}

describe('POST /mfa/verify while Redis fails', { skip }, () => {
  for (const [name, command] of steps) {
    test(`${name}: 503 five times, then the next code works`, async (t) => {
      noUnhandledRejections(t)
      const redis = breakableRedis(t)
      const app = await build(t, { auth: { ...auth, ...redis.options } })
      const { secret } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      let failed = 0
      redis.fails = (text) => {
        if (!command.test(text)) return null
        failed++
        return 'unsent'
      }
      for (let tries = 0; tries < 5; tries++) {
        await isUnavailable(client, challenge, codeAt(secret))
        await allowCodesAgain(app, 'ada')
      }
      assert.ok(failed >= 5, 'the step is reached')
      redis.fails = () => null
      answers(await verify(client, challenge, codeAt(secret)), 200)
      answers(await client.get('/me'), 200)
    })

    test(`${name}: a lost response costs the code at most`, async (t) => {
      noUnhandledRejections(t)
      const redis = breakableRedis(t)
      const app = await build(t, { auth: { ...auth, ...redis.options } })
      const { secret } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      redis.fails = (text) => (command.test(text) ? 'unanswered' : null)
      await isUnavailable(client, challenge, codeAt(secret))
      redis.fails = () => null
      const next = codeAt(secret, Date.now() + 30_000)
      answers(await verify(client, challenge, next), 200)
      answers(await client.get('/me'), 200)
    })

    test(`${name}: an outage of everything from here on issues nothing`, async (t) => {
      noUnhandledRejections(t)
      const redis = breakableRedis(t)
      const app = await build(t, { auth: { ...auth, ...redis.options } })
      const { secret, recoveryCodes } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      let isDown = false
      redis.fails = (text) => {
        isDown ||= command.test(text)
        return isDown ? 'unsent' : null
      }
      await isUnavailable(client, challenge, codeAt(secret))
      redis.fails = () => null
      await signInWithCode(client, 'ada', recoveryCodes[0] ?? '')
    })
  }

  test('POST /login: 503 if the challenge cannot be stored, and nothing stays counted', async (t) => {
    noUnhandledRejections(t)
    const redis = breakableRedis(t)
    const app = await build(t, { auth: { ...auth, ...redis.options } })
    const { secret } = await enrolledUser(app, 'ada')
    const client = new Client(app)
    redis.fails = (text) => (/^set crudauth\/o:/.test(text) ? 'unsent' : null)
    for (let tries = 0; tries < 5; tries++) {
      const response = await client.login('ada')
      refuses(response, 'CRUDAUTH_UNAVAILABLE')
      assert.equal(response.headers['set-cookie'], undefined)
    }
    redis.fails = () => null
    await signInWithCode(client, 'ada', codeAt(secret))
  })

  test('a setup whose session cannot be created is undone, and its challenge lives', async (t) => {
    noUnhandledRejections(t)
    const redis = breakableRedis(t)
    const users = memoryUsers()
    const mfa = { ...auth.mfa, required: true }
    const app = await build(t, { auth: { ...auth, ...redis.options, users, mfa } })
    const client = new Client(app)
    await client.register('ada')
    const { challenge, setup } = answers(await client.login('ada'), 200)
    redis.fails = (text) => (steps[4]?.[1].test(text) ? 'unsent' : null)
    for (let tries = 0; tries < 3; tries++) {
      await isUnavailable(client, challenge, codeAt(setup.secret))
      const row = (await users.findById(1)) as Record<string, unknown>
      assert.deepEqual([row.totpConfirmedAt, row.mfaRecoveryCodes], [null, null])
    }
    redis.fails = () => null
    const body = answers(await verify(client, challenge, codeAt(setup.secret)), 200)
    assert.equal(body.recovery_codes.length, 10)
    await signInWithCode(new Client(app), 'ada', body.recovery_codes[0])
  })
})

describe('accounts without a second factor', { skip }, () => {
  test('with mfa, requests cost as many calls as without it', async (t) => {
    const costs = async (mfa: CrudAuthOptions['mfa']) => {
      const redis = breakableRedis(t)
      const { store, calls } = countingUsers()
      const transports = [sessionTransport(), bearerTransport({ refresh: 'body' })]
      const app = await build(t, { auth: { ...redis.options, users: store, mfa, transports } })
      const client = await signedIn(app, 'ada')
      const credentials = { username: 'ada', password }
      const requests = {
        login: () => client.login('ada'),
        token: () => client.post('/token', credentials),
        me: () => client.get('/me'),
      }
      const counted: Record<string, object> = {}
      for (const [name, send] of Object.entries(requests)) {
        answers(await send(), 200)
        const before = { ...calls, commands: redis.commands }
        answers(await send(), 200)
        counted[name] = {
          reads: calls.findBy + calls.findById - before.findBy - before.findById,
          writes: calls.compareAndSet + calls.update - before.compareAndSet - before.update,
          commands: redis.commands - before.commands,
        }
      }
      return counted
    }
    const off = await costs(undefined)
    assert.deepEqual(await costs(mfaOptions), off)
    assert.deepEqual(
      await costs({ ...mfaOptions, required: () => false, rememberDeviceDays: 9 }),
      off,
    )
  })

  test('during an outage of Redis, the management routes are 503 (rate limit)', async (t) => {
    const redis = breakableRedis(t)
    const app = await build(t, {
      auth: { ...auth, ...redis.options, rateLimits: { register: false } },
    })
    const client = await signedIn(app, 'ada')
    redis.fails = (text) => (/rate:/.test(text) ? 'unsent' : null)
    refuses(await client.post('/mfa/totp/setup', { password }), 'CRUDAUTH_UNAVAILABLE')
    redis.fails = () => null
    await enroll(client)
  })
})
