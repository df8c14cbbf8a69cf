import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type BearerTransportOptions,
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
} from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { asBearer, askRefresh, askToken, signedInBearer, tokensOf } from '../helpers/bearer.js'
import { build } from '../helpers/build.js'
import { countingProxy, recovers, serve, skip } from '../helpers/faults.js'

const redisMs = 300

/** An app that can be interrupted at each user lookup: between the two round trips of a refresh. */
async function interruptedApp(
  t: TestContext,
  options: BearerTransportOptions,
  auth: Partial<CrudAuthOptions> = {},
) {
  const users = memoryUsers()
  const { findById } = users
  const between: { act: (() => unknown) | null } = { act: null }
  users.findById = async (id) => {
    const row = await findById(id)
    await between.act?.()
    return row
  }
  const reused: unknown[] = []
  const app = await build(t, {
    auth: {
      users,
      timeouts: { redisMs },
      hooks: { onRefreshReuse: (user) => reused.push(user) },
      transports: [bearerTransport({ refresh: 'body', ...options })],
      ...auth,
    },
  })
  return { app, between, reused }
}

suite('Redis stalls between the two round trips of a refresh', { skip }, () => {
  test('a rotation that got 503 is not applied, although Redis receives it later', async (t) => {
    const server = await serve(t)
    const { app, between, reused } = await interruptedApp(
      t,
      { reuseGraceSeconds: 1 },
      { redis: server.url },
    )
    const warm = await signedInBearer(app)
    // Redis knows the scripts by now, so a command runs at once and needs no second attempt.
    answers(await askRefresh(app, warm.refresh_token), 200)
    for (const stallMs of [50, 1500]) {
      const { refresh_token } = tokensOf(await askToken(app))
      between.act = () => {
        between.act = null
        server.pause()
      }
      refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_UNAVAILABLE', [refresh_token])
      await delay(stallMs)
      server.resume()
      await recovers(() => askToken(app))
      // Longer than the grace period: reuse of a used-up token would revoke the family.
      await delay(1200)
      const next = tokensOf(await recovers(() => askRefresh(app, refresh_token)))
      answers(await asBearer(app, next.access_token), 200)
      answers(await askRefresh(app, next.refresh_token), 200)
    }
    assert.deepEqual(reused, [])
  })

  test('a slow user store causes neither another round trip nor an error', async (t) => {
    const server = await serve(t)
    const proxy = await countingProxy(t, server.port)
    const { app, between } = await interruptedApp(t, {}, { redis: proxy.url })
    let { refresh_token } = await signedInBearer(app)
    refresh_token = tokensOf(await askRefresh(app, refresh_token)).refresh_token
    between.act = () => delay(2 * redisMs)
    const trips = await proxy.of(async () => {
      refresh_token = tokensOf(await askRefresh(app, refresh_token)).refresh_token
    })
    assert.equal(trips, 2)
    answers(await askRefresh(app, refresh_token), 200)
  })
})

suite('refresh: a rotation that reaches the store too late', () => {
  /** Advances the clock of the store by `ms` at each call. */
  const hurry = (t: TestContext, ms: number) => {
    const now = Date.now
    let ahead = 0
    const mocked = t.mock.method(Date, 'now', () => {
      ahead += ms
      return now() + ahead
    })
    return () => mocked.mock.restore()
  }

  test('is retried once and succeeds', async (t) => {
    const { app, between, reused } = await interruptedApp(t, { reuseGraceSeconds: 0 })
    const { refresh_token } = await signedInBearer(app)
    const now = Date.now
    between.act = () => {
      between.act = null
      t.mock.method(Date, 'now', () => now() + 60_000)
    }
    const next = tokensOf(await askRefresh(app, refresh_token))
    answers(await askRefresh(app, next.refresh_token), 200)
    assert.deepEqual(reused, [])
  })

  test('is 503 if the retries are late too, and the token stays valid', async (t) => {
    const { app, between, reused } = await interruptedApp(t, { reuseGraceSeconds: 0 })
    const { refresh_token } = await signedInBearer(app)
    let restore = () => {}
    between.act = () => {
      between.act = null
      restore = hurry(t, 60_000)
    }
    refusesOwn(await askRefresh(app, refresh_token), 'CRUDAUTH_UNAVAILABLE', [refresh_token])
    restore()
    answers(await askRefresh(app, refresh_token), 200)
    assert.deepEqual(reused, [])
  })
})
