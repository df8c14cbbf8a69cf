import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type BearerTransportOptions, memoryUsers } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import {
  askRefresh,
  askToken,
  bearerApp,
  signedInBearer,
  times,
  tokensOf,
} from '../helpers/bearer.js'
import { everywhere, places, reuses, statusesOf } from '../helpers/everywhere.js'
import { refuses } from '../helpers/refuses.js'

/** Shifts the clock of this process by that many milliseconds, but not that of Redis. */
function clockOff(t: TestContext, ms: number): void {
  const now = Date.now
  t.mock.method(Date, 'now', () => now() + ms)
}

for (const backend of everywhere) {
  describe(`${backend.name}: refresh tokens and clock skew`, () => {
    const start = async (
      t: TestContext,
      options: BearerTransportOptions = {},
      users = memoryUsers(),
    ) => {
      const heard = reuses(t)
      return {
        heard,
        app: await bearerApp(t, null, options, {
          ...places(t, backend),
          users,
          hooks: heard.hooks,
        }),
      }
    }

    for (const behindMs of [1, 5, 60_000]) {
      test(`without a grace period, reuse revokes the family with the clock ${behindMs} ms behind`, async (t) => {
        const { app, heard } = await start(t, { reuseGraceSeconds: 0 })
        const { refresh_token } = await signedInBearer(app)
        const next = tokensOf(await askRefresh(app, refresh_token))
        clockOff(t, -behindMs)
        refuses(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
        refuses(await askRefresh(app, next.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
        assert.deepEqual(heard.hooked, ['ann'])
      })
    }

    test('parallel reuse fires exactly one event', async (t) => {
      const { app, heard } = await start(t, { reuseGraceSeconds: 0 })
      const { refresh_token } = await signedInBearer(app)
      tokensOf(await askRefresh(app, refresh_token))
      assert.deepEqual(
        statusesOf(await Promise.all(times(50, () => askRefresh(app, refresh_token)))),
        { 401: 50 },
      )
      assert.deepEqual([heard.hooked, heard.published], [['ann'], ['ann']])
      const again = tokensOf(await askToken(app))
      const statuses = statusesOf(
        await Promise.all(times(100, () => askRefresh(app, again.refresh_token))),
      )
      assert.ok((statuses[200] ?? 0) <= 1, JSON.stringify(statuses))
      assert.deepEqual([heard.hooked.length, heard.published.length], [2, 2])
    })

    if (backend.name === 'memory') return

    for (const [what, offMs] of [
      ['a minute ahead', 60_000],
      ['a minute behind', -60_000],
    ] as const) {
      test(`the grace period uses the clock of the store: a process ${what} returns the same successor`, async (t) => {
        const { app, heard } = await start(t)
        const { refresh_token } = await signedInBearer(app)
        const first = tokensOf(await askRefresh(app, refresh_token))
        clockOff(t, offMs)
        assert.equal(
          tokensOf(await askRefresh(app, refresh_token)).refresh_token,
          first.refresh_token,
        )
        const second = tokensOf(await askRefresh(app, first.refresh_token))
        t.mock.restoreAll()
        assert.equal(
          tokensOf(await askRefresh(app, first.refresh_token)).refresh_token,
          second.refresh_token,
        )
        answers(await askRefresh(app, second.refresh_token), 200)
        assert.deepEqual(heard.hooked, [])
      })
    }

    test('the grace period ends by the clock of the store with the process an hour off', async (t) => {
      const { app, heard } = await start(t, { reuseGraceSeconds: 1 })
      const { refresh_token } = await signedInBearer(app)
      tokensOf(await askRefresh(app, refresh_token))
      await delay(1100)
      clockOff(t, -3_600_000)
      refuses(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      t.mock.restoreAll()
      clockOff(t, 3_600_000)
      const ahead = tokensOf(await askToken(app))
      t.mock.restoreAll()
      tokensOf(await askRefresh(app, ahead.refresh_token))
      await delay(1100)
      refuses(await askRefresh(app, ahead.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      assert.deepEqual(heard.hooked, ['ann', 'ann'])
    })
  })
}
