import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryCounters } from '../../../src/state/memory/counters.js'
import { backends } from '../../helpers/backends.js'
import { build } from '../../helpers/build.js'
import { Client } from '../../helpers/client.js'
import { redisTexts, times } from '../../helpers/hostile.js'
import { refuses } from '../../helpers/refuses.js'

const from = (remoteAddress: string) => ({ remoteAddress })

for (const backend of backends) {
  test(`${backend.name}: POST /login: attempts from a locked IP address don't count against the account`, async (t) => {
    const reasons: string[] = []
    const hooks = { onLockout: ({ reason }: { reason: string }) => void reasons.push(reason) }
    const app = await build(t, { auth: { ...backend.options(), hooks } })
    await new Client(app).register('ann')
    const hostile = new Client(app, '', from('203.0.113.1'))
    for (let i = 0; i < 30; i++)
      refuses(await hostile.login(`nobody${i}`, 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
    for (let i = 0; i < 12; i++) refuses(await hostile.login('ann', 'wrong'), 'CRUDAUTH_LOCKED_OUT')
    for (let i = 0; i < 12; i++)
      refuses(await hostile.login('ann@example.com'), 'CRUDAUTH_LOCKED_OUT')
    // The account still has all five attempts.
    const owner = new Client(app, '', from('198.51.100.7'))
    for (let i = 0; i < 4; i++)
      refuses(await owner.login('ann', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await owner.login('ann')).statusCode, 200)
    assert.deepEqual(reasons, ['address'])
  })
}

for (const backend of backends.filter(({ name }) => name === 'redis')) {
  test('redis: POST /login: attempts from a locked IP address create no counters', async (t) => {
    const options = backend.options()
    const app = await build(t, { auth: { ...options, lockout: { maxAttemptsPerIp: 3 } } })
    const hostile = new Client(app)
    for (let i = 0; i < 3; i++)
      refuses(await hostile.login(`nobody${i}`, 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
    refuses(await hostile.login('nobody3', 'wrong'), 'CRUDAUTH_LOCKED_OUT')
    const before = (await redisTexts(options.keyPrefix ?? '')).sort()
    assert.ok(before.length > 0)
    for (let i = 4; i < 24; i++)
      refuses(await hostile.login(`nobody${i}`, 'wrong'), 'CRUDAUTH_LOCKED_OUT')
    assert.deepEqual((await redisTexts(options.keyPrefix ?? '')).sort(), before)
  })
}

test('memory: attempts behind a locked counter evict no other counter', async () => {
  const counters = memoryCounters(3)
  const lane = (key: string) => ({
    key,
    maxAttempts: 1,
    windowMs: 60_000,
    lockMs: 60_000,
    maxLockMs: 60_000,
  })
  await counters.attempt([lane('address')])
  assert.equal((await counters.attempt([lane('address')]))[0]?.lockedNow, true)
  await counters.attempt([lane('victim')])
  await Promise.all(times(10, (i) => counters.attempt([lane('address'), lane(`fresh ${i}`)])))
  assert.equal((await counters.attempt([lane('victim')]))[0]?.lockedNow, true)
})
