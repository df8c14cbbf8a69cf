import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { createRecoveryTokens, type RecoveryTokens } from '../../src/core/one-time-tokens/tokens.js'
import { createUsers } from '../../src/core/users/users.js'
import { createFactorMessages } from '../../src/features/email/factor-messages.js'
import { memoryUsers } from '../../src/index.js'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { answers } from '../helpers/answers.js'
import { backends, serverUrl } from '../helpers/backends.js'
import { limitsOff } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { redisTexts, times } from '../helpers/hostile.js'
import { settle } from '../helpers/mailbox.js'

/** Strangers must not use up the message limit of an address, or the space of the token store. */
const old = addressOf('ann')
const recipient = { max: 3, windowSeconds: 3600 }
const auth = { rateLimits: { ...limitsOff, recipient } }

for (const backend of backends) {
  test(`${backend.name}: recipient limit: requests for an address without an account are not counted`, async (t) => {
    const { anyone, join, move, mail, ask } = await mailApp(t, backend, { auth })
    const client = await join('ann')
    const token = await move(client, old, 'thief@example.com')
    for (let i = 0; i <= recipient.max; i++)
      answers(await anyone.post('/password/reset-request', { email: old }), 202)
    await settle()
    assert.deepEqual(mail.to(old, 'reset_password'), [])
    answers(await anyone.post('/email/change-revert', { token }), 200)
    // Sent automatically, because whoever changed the address still knows the password.
    const reset = await mail.token(old, 'reset_password')
    await ask('reset', 'ann')
    await ask('reset', 'ann')
    await ask('reset', 'ann')
    answers(await anyone.post('/password/reset-confirm', { token: reset, new_password: next }), 200)
    answers(await new Client(client.app).login('ann', next), 200)
  })

  test(`${backend.name}: POST /email/change-revert: sends reset_password beyond the recipient limit`, async (t) => {
    const { anyone, join, move, mail, ask } = await mailApp(t, backend, { auth })
    const client = await join('ann')
    for (let i = 0; i < recipient.max; i++) await ask('reset', 'ann')
    answers(await anyone.post('/password/reset-request', { email: old }), 202)
    await settle()
    assert.equal(mail.to(old, 'reset_password').length, recipient.max)
    const token = await move(client, old, 'thief@example.com')
    answers(await anyone.post('/email/change-revert', { token }), 200)
    const reset = await mail.token(old, 'reset_password', recipient.max + 1)
    answers(await anyone.post('/password/reset-confirm', { token: reset, new_password: next }), 200)
  })

  test(`${backend.name}: recipient limit: requests before a sign-up do not hold back its verify_email`, async (t) => {
    const { anyone, mail } = await mailApp(t, backend, { auth })
    for (let i = 0; i <= recipient.max; i++)
      answers(await anyone.post('/email/verify-request', { email: old }), 202)
    await settle()
    answers(await anyone.register('ann'), 202)
    answers(
      await anyone.post('/email/verify-confirm', { token: await mail.token(old, 'verify_email') }),
      200,
    )
  })

  test(`${backend.name}: recipient limit: change requests to a taken address are not counted`, async (t) => {
    const { join, mail, askChange, row, set } = await mailApp(t, backend, { auth })
    const thief = await join('thief')
    await join('ann')
    for (let i = 0; i <= recipient.max; i++) {
      answers(
        await thief.post('/email/change-request', {
          new_email: old,
          password: 'correct horse battery',
        }),
        202,
      )
    }
    await settle()
    assert.deepEqual(mail.to(old, 'change_email'), [])
    await set('ann', { email: 'elsewhere@example.com' })
    await askChange(thief, old)
    assert.equal((await row('ann')).email, 'elsewhere@example.com')
  })

  for (const kind of ['verify', 'reset'] as const) {
    test(`${backend.name}: recipient limit: a ${kind} request retried after database errors counts once`, async (t) => {
      const inner = memoryUsers()
      let failures = 0
      const findBy: typeof inner.findBy = async (field, value) => {
        if (field === 'email' && failures-- > 0) throw new Error('a moment, please')
        return inner.findBy(field, value)
      }
      const { ask, anyone, mail } = await mailApp(t, backend, {
        auth: { users: { ...inner, findBy }, delivery: { firstRetrySeconds: 0.01 }, ...auth },
      })
      await inner.create({ email: old, username: 'ann', hashedPassword: null })
      failures = 3
      await ask(kind, 'ann')
      assert.ok(failures <= 0, 'the lookup was retried')
      for (let i = 1; i < recipient.max; i++) await ask(kind, 'ann')
      const { length } = mail.messages
      assert.equal(length, recipient.max)
      answers(
        await anyone.post(kind === 'verify' ? '/email/verify-request' : '/password/reset-request', {
          email: old,
        }),
        202,
      )
      await settle()
      assert.equal(mail.messages.length, length, 'nothing is sent beyond the limit')
    })
  }
}

test('memory store: requests for unknown accounts do not evict tokens', async () => {
  const users = createUsers(memoryUsers(), 1000, Buffer.alloc(32))
  const user = await users.create({ email: old, hashedPassword: null })
  const plain = { seal: (text: string) => text, open: (text: string) => text }
  const tokens = createRecoveryTokens(memoryOneTime(4), users, plain)
  const token = await tokens.issue('reset', user, { value: old }, 3600)
  for (const purpose of times(20, (i) => (i % 2 ? 'verify' : 'reset')))
    await tokens.imitate(purpose as 'verify')
  assert.equal((await tokens.peek('reset', token))?.value, old)
})

test('Redis store: requests for unknown accounts store no token', {
  skip: !serverUrl('TEST_REDIS_URL') && 'TEST_REDIS_URL is not set',
}, async (t) => {
  const options = backends[backends.length - 1]?.options() ?? {}
  const { anyone, ask, join } = await mailApp(t, { name: 'redis', options: () => options })
  const values = async () =>
    (await redisTexts(options.keyPrefix as string)).filter((text) => text.includes('o:{')).length
  await join('ann', { verified: false })
  const before = await values()
  for (let i = 0; i < 10; i++) {
    answers(await anyone.post('/password/reset-request', { email: `x${i}@example.com` }), 202)
    answers(await anyone.post('/email/verify-request', { email: `x${i}@example.com` }), 202)
  }
  await settle()
  assert.equal(await values(), before)
  await ask('reset', 'ann')
  assert.equal(await values(), before + 1, 'a request for an account stores a token')
})

test('recipient limit: a request counts once if storing its token fails at first', async () => {
  const users = createUsers(memoryUsers(), 1000, Buffer.alloc(32))
  const user = await users.create({ email: old, hashedPassword: null })
  const work: (() => Promise<void>)[] = []
  const sent: unknown[] = []
  const counted: string[] = []
  let failures = 2
  const unused = () => assert.fail('not part of a request')
  const messages = createFactorMessages({
    users,
    factor: {
      field: 'email',
      verifiedField: 'emailVerified',
      isVerified: () => false,
      parse: (text) => text,
      find: async () => user,
      read: () => old,
    },
    tokens: {
      issue: async () => (failures-- > 0 ? Promise.reject(new Error('down')) : 'token'),
    } as unknown as RecoveryTokens,
    outbox: {
      defer: (_, one) => void work.push(one),
      alert: unused,
      send: (intent) => void sent.push(intent),
    },
    withinRecipientLimit: async (_, to) => counted.push(to) > 0,
    seconds: { verify: 60, reset: 60 },
  })
  messages.request({} as FastifyRequest, 'reset_password', old, async () => user)
  const [attempt = unused] = work
  await assert.rejects(attempt)
  await assert.rejects(attempt)
  await attempt()
  assert.deepEqual([sent.length, counted], [1, [`${old} ${users.epochOf(user)}`]])
})
