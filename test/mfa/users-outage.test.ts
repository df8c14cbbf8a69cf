import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { memoryUsers, type UserStore, type UserValues } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import {
  allowCodesAgain,
  challengeOf,
  codeAt,
  enrolledUser,
  mfaOptions,
  signInWithCode,
  verify,
} from '../helpers/mfa.js'
import { refuses } from '../helpers/refuses.js'

/** So few attempts that one that stays counted shows. */
const auth = { mfa: { ...mfaOptions, maxAttempts: 2 }, lockout: { maxAttempts: 2 } }

/** How a call fails: it never reaches the database, or its response is lost. */
type Failure = 'unsent' | 'unanswered' | null

/** Users whose reads and writes a test can let fail. */
function unreliableUsers() {
  const inner = memoryUsers()
  const state = { read: null as Failure, write: null as Failure, writes: [] as UserValues[] }
  const call = async <T>(failure: Failure, run: () => Promise<T>): Promise<T> => {
    if (failure === 'unsent') throw new Error('connect ECONNREFUSED 10.0.0.1')
    const result = await run()
    if (failure === 'unanswered') throw new Error('Connection lost')
    return result
  }
  const store: UserStore = {
    fields: inner.fields,
    findById: (id) => call(state.read, () => inner.findById(id)),
    findBy: (field, value) => call(state.read, () => inner.findBy(field, value)),
    create: inner.create,
    update: inner.update,
    compareAndSet: (id, expected, values) => {
      state.writes.push(values)
      return call(state.write, () => inner.compareAndSet(id, expected, values))
    },
  }
  return { state, store, row: async () => (await inner.findById(1)) as Record<string, unknown> }
}

for (const backend of backends) {
  const setUp = async (t: TestContext, more: object = {}) => {
    noUnhandledRejections(t)
    const users = unreliableUsers()
    const app = await build(t, {
      auth: { ...backend.options(), ...auth, users: users.store, ...more },
    })
    return { app, ...users }
  }
  const isUnavailable = async (client: Client, challenge: string, code: string) => {
    const response = await verify(client, challenge, code)
    refuses(response, 'CRUDAUTH_UNAVAILABLE', [challenge, code])
    assert.equal(response.headers['set-cookie'], undefined)
  }

  describe(`${backend.name}: POST /mfa/verify while the users database fails`, () => {
    for (const operation of ['read', 'write'] as const) {
      test(`${operation}: 503 five times, then the next code works`, async (t) => {
        const { app, state } = await setUp(t)
        const { secret } = await enrolledUser(app, 'ada')
        const client = new Client(app)
        const challenge = await challengeOf(client, 'ada')
        state[operation] = 'unsent'
        for (let tries = 0; tries < 5; tries++)
          await isUnavailable(client, challenge, codeAt(secret))
        if (operation === 'read')
          refuses(await client.post('/mfa/challenge', { challenge }), 'CRUDAUTH_UNAVAILABLE')
        state[operation] = null
        answers(await verify(client, challenge, codeAt(secret)), 200)
      })
    }

    test('a lost response to the write costs the code, and no more', async (t) => {
      const { app, state } = await setUp(t)
      const { secret, recoveryCodes } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      for (const [spent, next] of [
        [codeAt(secret), codeAt(secret, Date.now() + 30_000)],
        [recoveryCodes[0] ?? '', recoveryCodes[1] ?? ''],
      ] as const) {
        const challenge = await challengeOf(client, 'ada')
        state.write = 'unanswered'
        refuses(await verify(client, challenge, spent), 'CRUDAUTH_UNAVAILABLE')
        state.write = null
        answers(await verify(client, challenge, next), 200)
      }
    })

    test('a wrong code is not judged, and costs nothing', async (t) => {
      const failed: unknown[] = []
      const hooks = { onMfaFailed: (user: unknown) => failed.push(user) }
      const { app, state } = await setUp(t, { hooks })
      const { secret } = await enrolledUser(app, 'ada')
      const client = new Client(app)
      const challenge = await challengeOf(client, 'ada')
      state.read = 'unsent'
      for (let tries = 0; tries < 5; tries++) await isUnavailable(client, challenge, '000000')
      assert.deepEqual(failed, [])
      state.read = null
      answers(await verify(client, challenge, codeAt(secret)), 200)
    })
  })

  describe(`${backend.name}: nobody is enrolled without recovery codes`, () => {
    const isOff = (row: Record<string, unknown>) =>
      assert.deepEqual([row.totpConfirmedAt, row.mfaRecoveryCodes], [null, null])

    test('setup at sign-in: 503 if it cannot be written, and the challenge lives', async (t) => {
      const mfa = { ...auth.mfa, required: true }
      const { app, state, row } = await setUp(t, { mfa })
      const client = new Client(app)
      await client.register('ada')
      const { challenge, setup } = answers(await client.login('ada'), 200)
      state.write = 'unsent'
      for (let tries = 0; tries < 4; tries++) {
        await isUnavailable(client, challenge, codeAt(setup.secret))
        isOff(await row())
      }
      state.write = null
      const body = answers(await verify(client, challenge, codeAt(setup.secret)), 200)
      assert.equal(body.recovery_codes.length, 10)
    })

    test('setup at sign-in: a write whose response is lost is taken back', async (t) => {
      const mfa = { ...auth.mfa, required: true }
      const { app, state, row } = await setUp(t, { mfa })
      const client = new Client(app)
      await client.register('ada')
      const { challenge, setup } = answers(await client.login('ada'), 200)
      let lost = 0
      // Only the first response is lost.
      Object.defineProperty(state, 'write', { get: () => (lost++ === 0 ? 'unanswered' : null) })
      await isUnavailable(client, challenge, codeAt(setup.secret))
      assert.ok(lost > 0)
      isOff(await row())
      const body = answers(await verify(client, challenge, codeAt(setup.secret)), 200)
      assert.equal(body.recovery_codes.length, 10)
      await signInWithCode(new Client(app), 'ada', body.recovery_codes[0])
    })

    test('POST /mfa/totp/confirm: 503 if it cannot be written, then the code works', async (t) => {
      const { app, state, row } = await setUp(t)
      const client = await signedIn(app, 'ada')
      const { secret } = answers(await client.post('/mfa/totp/setup', { password }), 200)
      const confirm = () => client.post('/mfa/totp/confirm', { code: codeAt(secret) })
      for (const operation of ['read', 'write'] as const) {
        state[operation] = 'unsent'
        refuses(await confirm(), 'CRUDAUTH_UNAVAILABLE', [secret])
        isOff(await row())
        state[operation] = null
      }
      assert.equal(answers(await confirm(), 200).recovery_codes.length, 10)
    })

    test('POST /mfa/totp/confirm: a write whose response is lost is taken back', async (t) => {
      const { app, state, row } = await setUp(t)
      const client = await signedIn(app, 'ada')
      const { secret } = answers(await client.post('/mfa/totp/setup', { password }), 200)
      const confirm = () => client.post('/mfa/totp/confirm', { code: codeAt(secret) })
      let lost = 0
      Object.defineProperty(state, 'write', { get: () => (lost++ === 0 ? 'unanswered' : null) })
      refuses(await confirm(), 'CRUDAUTH_UNAVAILABLE')
      isOff(await row())
    })
  })

  test(`${backend.name}: disable and regenerate: 503 changes nothing, and a lost response costs the code`, async (t) => {
    const { app, state, row } = await setUp(t)
    const { client, secret } = await enrolledUser(app, 'ada')
    const before = await row()
    for (const url of ['/mfa/totp/disable', '/mfa/recovery-codes/regenerate']) {
      state.write = 'unsent'
      refuses(await client.post(url, { code: codeAt(secret) }), 'CRUDAUTH_UNAVAILABLE')
      state.write = null
      assert.equal((await row()).mfaRecoveryCodes, before.mfaRecoveryCodes)
      assert.equal((await row()).totpSecretEncrypted, before.totpSecretEncrypted)
    }
    const code = codeAt(secret)
    answers(await client.post('/mfa/recovery-codes/regenerate', { code }), 200)
    await allowCodesAgain(app, 'ada')
    answers(await client.post('/mfa/totp/disable', { code }), 200)
  })
}

test('a login by hand: 503 if the row cannot be read, and nobody is signed in', async (t) => {
  const { lines, logger } = captureLogs('warn')
  const { state, store } = unreliableUsers()
  const app = await build(t, {
    fastify: { logger },
    auth: { ...auth, users: store },
    routes(app) {
      app.post('/by-hand', async (request, reply) => {
        const user = await app.crudAuth.users.findBy('username', 'ada')
        state.read = 'unsent'
        assert.ok(user)
        return app.crudAuth.completeLogin(request, reply, { ...user }, { amr: ['pwd'] })
      })
    },
  })
  await enrolledUser(app, 'ada')
  const response = await new Client(app).post('/by-hand')
  refuses(response, 'CRUDAUTH_UNAVAILABLE')
  assert.equal(response.headers['set-cookie'], undefined)
  assert.ok(!lines.join('').includes('totp_secret'))
})
