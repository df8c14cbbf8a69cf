import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { challengeOf, codeAt, enrolledUser, mfaOptions, verify } from '../helpers/mfa.js'

const rounds = 15

for (const backend of backends) {
  /** An app with an enrolled user. `delay` lets other requests run before each write. */
  const setUp = async (t: Parameters<typeof build>[0], mfa: object = {}) => {
    noUnhandledRejections(t)
    const users = memoryUsers()
    const app = await build(t, {
      auth: { ...backend.options(), users, lockout: false, mfa: { ...mfaOptions, ...mfa } },
    })
    return { app, users }
  }

  test(`${backend.name}: a password change in parallel with POST /mfa/verify ends its session`, async (t) => {
    const { app } = await setUp(t)
    for (let round = 0; round < rounds; round++) {
      const name = `user${round}`
      const { client: owner, secret } = await enrolledUser(app, name)
      const thief = new Client(app)
      const challenge = await challengeOf(thief, name)
      const change = { current_password: password, new_password: `another good one ${round}` }
      const begin = [
        () => owner.post('/change-password', change),
        () => verify(thief, challenge, codeAt(secret)),
      ]
      if (round % 2 === 1) begin.reverse()
      const done = await Promise.all(begin.map((send) => send()))
      const seen = done.map(({ statusCode }) => statusCode)
      assert.ok(seen.includes(200), String(seen))
      assert.equal((await thief.get('/me')).statusCode, 401)
      answers(await owner.get('/me'), 200)
    }
  })

  test(`${backend.name}: an account that is disabled in parallel with POST /mfa/verify stays out`, async (t) => {
    const { app, users } = await setUp(t)
    for (let round = 1; round <= rounds; round++) {
      const name = `user${round}`
      const { secret } = await enrolledUser(app, name)
      const client = new Client(app)
      const challenge = await challengeOf(client, name)
      const sent = verify(client, challenge, codeAt(secret))
      for (let turn = 0; turn < round; turn++) await null
      await users.update(round, { isActive: false })
      assert.ok([200, 400, 401, 403].includes((await sent).statusCode))
      assert.equal((await client.get('/me')).statusCode, 401)
    }
  })

  test(`${backend.name}: a setup and its confirmation in parallel leave one secret that works`, async (t) => {
    const { app } = await setUp(t)
    for (let round = 0; round < rounds; round++) {
      const name = `user${round}`
      const client = await signedIn(app, name)
      const begun = answers(await client.post('/mfa/totp/setup', { password }), 200)
      const [confirmed, again] = await Promise.all([
        client.post('/mfa/totp/confirm', { code: codeAt(begun.secret) }),
        client.post('/mfa/totp/setup', { password }),
      ])
      const isEnrolled = answers(await client.get('/mfa'), 200).enabled
      assert.equal(isEnrolled, confirmed.statusCode === 200)
      // If the setup came later, it must not have replaced the secret of an enrolled account.
      const secret = isEnrolled ? begun.secret : again.json().secret
      if (!isEnrolled)
        answers(await client.post('/mfa/totp/confirm', { code: codeAt(secret) }), 200)
      const other = new Client(app)
      const next = codeAt(secret, Date.now() + 30_000)
      answers(await verify(other, await challengeOf(other, name), next), 200)
    }
  })

  test(`${backend.name}: of 40 parallel regenerations with one code, one set of codes is valid`, async (t) => {
    const { app } = await setUp(t)
    const { client, secret } = await enrolledUser(app, 'ada')
    const body = { code: codeAt(secret) }
    const regenerated = await Promise.all(
      times(40, () => client.post('/mfa/recovery-codes/regenerate', body)),
    )
    assert.deepEqual(statuses(regenerated), { 200: 1, 401: 39 })
    const winner = regenerated.find(({ statusCode }) => statusCode === 200)
    const other = new Client(app)
    const [code] = winner?.json().recovery_codes ?? []
    answers(await verify(other, await challengeOf(other, 'ada'), code), 200)
  })

  test(`${backend.name}: disable in parallel with a sign-in by the same code: one of them gets it`, async (t) => {
    const { app } = await setUp(t)
    for (let round = 0; round < rounds; round++) {
      const name = `user${round}`
      const { client, secret } = await enrolledUser(app, name)
      const other = new Client(app)
      const challenge = await challengeOf(other, name)
      const code = codeAt(secret)
      const done = await Promise.all([
        client.post('/mfa/totp/disable', { code }),
        verify(other, challenge, code),
      ])
      assert.equal(done.filter(({ statusCode }) => statusCode === 200).length, 1)
      const { enabled } = answers(await client.get('/mfa'), 200)
      assert.equal(enabled, done[0]?.statusCode !== 200)
    }
  })
}
