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

/** An app whose every reading of a row can be come in between: the place between the two round trips of a refresh. */
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
  test('a rotation that was answered 503 has not happened, though the server finds it in its buffer', async (t) => {
    const server = await serve(t)
    const { app, between, reused } = await interruptedApp(
      t,
      { reuseGraceSeconds: 1 },
      { redis: server.url },
    )
    const warm = await signedInBearer(app)
    // Redis knows the scripts by now: what it gets is run at once and not asked for again.
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
      // Longer than the grace: had the token been used up, the next use would end the line.
      await delay(1200)
      const next = tokensOf(await recovers(() => askRefresh(app, refresh_token)))
      answers(await asBearer(app, next.access_token), 200)
      answers(await askRefresh(app, next.refresh_token), 200)
    }
    assert.deepEqual(reused, [])
  })

  test('users who are read slowly cost a refresh neither a further round trip nor its answer', async (t) => {
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

suite('a store that finds a rotation late', () => {
  /** A store's clock that has gone on by `ms` at each look. */
  const hurry = (t: TestContext, ms: number) => {
    const now = Date.now
    let ahead = 0
    const mocked = t.mock.method(Date, 'now', () => {
      ahead += ms
      return now() + ahead
    })
    return () => mocked.mock.restore()
  }

  test('is asked once more, and answers', async (t) => {
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

  test('again and again is 503 in the end, and the token is as good as before', async (t) => {
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
