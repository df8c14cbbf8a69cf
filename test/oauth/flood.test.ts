import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LRUCache } from 'lru-cache'
import { memoryState } from '../../src/state/memory/index.js'
import { Mailbox } from '../helpers/mailbox.js'
import { Browser, buildOAuth } from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

/** Anyone can start sign-ins, and each is stored for ten minutes. */
test('memory state: pending sign-ins are stored apart, so they cannot evict one-time tokens', async (t) => {
  const state = memoryState()
  assert.notEqual(state.attempts, state.oneTime)

  /** Caches of one-time values that were written to. */
  const written = new Set<unknown>()
  const { set } = LRUCache.prototype
  t.mock.method(
    LRUCache.prototype,
    'set',
    function (this: LRUCache<string, object>, ...args: Parameters<typeof set>) {
      if (args[1] instanceof Map) written.add(this)
      return set.apply(this, args)
    },
  )
  const during = async (run: () => Promise<unknown>) => {
    written.clear()
    await run()
    return new Set(written)
  }
  const mail = new Mailbox()
  const { app } = await buildOAuth(t, { auth: { email: mail.options() } })
  const browser = new Browser(app)
  await browser.register('ann')
  await mail.token('ann@example.com', 'verify_email')
  const begun = await during(() => browser.begin())
  const sent = await during(async () => {
    await browser.post('/password/reset-request', { email: 'ann@example.com' })
    await mail.token('ann@example.com', 'reset_password')
  })
  assert.equal(begun.size, 1)
  assert.ok(sent.size > 0)
  for (const cache of begun) assert.ok(!sent.has(cache))
})

test('authorize: limited to 600 requests an hour per IP address by default', async (t) => {
  const { app } = await buildOAuth(t, { auth: { rateLimits: {} } })
  const begin = (remoteAddress = '203.0.113.7') =>
    app.inject({ url: '/oauth/acme/authorize', remoteAddress })
  for (let i = 0; i < 600; i++) assert.equal((await begin()).statusCode, 302, `${i}`)
  const response = await begin()
  refuses(response, 'CRUDAUTH_RATE_LIMITED')
  assert.ok(Number(response.headers['retry-after']) > 3000)
  assert.equal((await begin('203.0.113.8')).statusCode, 302)
})
