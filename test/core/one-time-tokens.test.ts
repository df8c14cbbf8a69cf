import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startRedis } from '../../scripts/services/redis.js'
import { createRedeem } from '../../src/core/one-time-tokens/redeem.js'
import { createRecoveryTokens } from '../../src/core/one-time-tokens/tokens.js'
import { createUsers } from '../../src/core/users/users.js'
import { memoryUsers } from '../../src/index.js'
import type { OneTimeStore } from '../../src/ports/one-time-store.js'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { serverUrl } from '../helpers/backends.js'
import { addressOf, mailApp, next } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'

/** A seal that doesn't encrypt. */
const plain = { seal: (text: string) => text, open: (text: string) => text }

test('redeem: a token stays redeemable if the store consumes it but the call fails', async () => {
  const users = createUsers(memoryUsers(), 1000, Buffer.alloc(32))
  const user = await users.create({ email: addressOf('ann'), hashedPassword: null })
  const inner = memoryOneTime()
  let failures = 2
  const store: OneTimeStore = {
    ...inner,
    async take(key) {
      const value = await inner.take(key)
      if (failures-- > 0) throw new Error('too late')
      return value
    },
  }
  const tokens = createRecoveryTokens(store, users, plain)
  const redeem = createRedeem(users, tokens)
  const token = await tokens.issue('verify', user, { value: null }, 60)
  let done = 0
  const redemption = { work: async () => ++done }
  for (let i = 0; i < 2; i++)
    await assert.rejects(redeem('verify', token, redemption), { code: 'CRUDAUTH_UNAVAILABLE' })
  assert.equal(done, 0)
  assert.equal(await redeem('verify', token, redemption), 1)
  await assert.rejects(redeem('verify', token, redemption), {
    code: 'CRUDAUTH_TOKEN_INVALID_OR_USED',
  })
  assert.equal(done, 1)
})

const skip = serverUrl('TEST_REDIS_URL') ? false : 'TEST_REDIS_URL is not set'

for (const purpose of ['verify', 'reset', 'revert'] as const) {
  test(`redeem: a token survives a Redis outage between its reading and its use: ${purpose}`, {
    skip,
  }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'crudauth-take-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const server = await startRedis(folder)
    t.after(() => {
      if (server.isAlive()) server.resume()
      return server.stop()
    })
    const inner = memoryUsers()
    let pausing = false
    const users: typeof inner = {
      ...inner,
      // Called after the token is read and before it is used.
      async findById(id) {
        const row = await inner.findById(id)
        if (pausing) server.pause()
        return row
      },
    }
    const options = () => ({ redis: server.url, timeouts: { redisMs: 400 } })
    const {
      anyone,
      ask,
      move,
      join: joins,
    } = await mailApp(t, { name: 'redis', options }, { auth: { users } })
    const client = await joins('ann', { verified: false })
    const [url, token] =
      purpose === 'verify'
        ? ['/email/verify-confirm', await ask('verify', 'ann')]
        : purpose === 'reset'
          ? ['/password/reset-confirm', await ask('reset', 'ann')]
          : ['/email/change-revert', await move(client, addressOf('ann'), 'new@example.com')]
    const body = { token, ...(purpose === 'reset' && { new_password: next }) }
    await settle()
    const before = await inner.findById(1)
    pausing = true
    refusesOwn(await anyone.post(url, body), 'CRUDAUTH_UNAVAILABLE', [token])
    pausing = false
    assert.deepEqual(await inner.findById(1), before)
    server.resume()
    let response = await anyone.post(url, body)
    for (let tries = 0; response.statusCode === 503 && tries < 200; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      response = await anyone.post(url, body)
    }
    answers(response, 200)
    refusesOwn(await anyone.post(url, body), 'CRUDAUTH_TOKEN_INVALID_OR_USED')
  })
}
