import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { LightMyRequestResponse } from 'fastify'
import {
  type BearerTransportOptions,
  bearerTransport,
  type CrudAuthOptions,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { serverUrl, uniquePrefix } from '../helpers/backends.js'
import {
  asBearer,
  askRefresh,
  askToken,
  bearerApp,
  postJson,
  signedInBearer,
  times,
  tokensOf,
} from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { everywhere, places, reuses, statusesOf } from '../helpers/everywhere.js'
import { refuses } from '../helpers/refuses.js'

for (const backend of everywhere) {
  describe(`${backend.name}: refresh tokens`, () => {
    const start = async (
      t: TestContext,
      options: BearerTransportOptions = {},
      auth: Partial<CrudAuthOptions> = {},
    ) => bearerApp(t, null, options, { ...places(t, backend), ...auth })

    test('100 parallel uses of one token return the same successor', async (t) => {
      const heard = reuses(t)
      const app = await start(t, {}, { hooks: heard.hooks })
      const { refresh_token } = await signedInBearer(app)
      const responses = await Promise.all(times(100, () => askRefresh(app, refresh_token)))
      assert.deepEqual(statusesOf(responses), { 200: 100 })
      const successors = new Set(responses.map((response) => tokensOf(response).refresh_token))
      assert.equal(successors.size, 1)
      assert.equal(new Set(responses.map((response) => tokensOf(response).access_token)).size, 100)
      for (const response of responses.slice(0, 10))
        answers(await asBearer(app, tokensOf(response).access_token), 200)
      assert.equal((await app.crudAuth.sessions.list(1)).length, 1)
      const next = [...successors][0] ?? ''
      const again = await Promise.all(times(100, () => askRefresh(app, next)))
      assert.deepEqual(statusesOf(again), { 200: 100 })
      assert.deepEqual([heard.hooked, heard.published], [[], []])
    })

    test('repeated use within the grace period returns the same successor', async (t) => {
      const app = await start(t)
      const { refresh_token } = await signedInBearer(app)
      const first = tokensOf(await askRefresh(app, refresh_token))
      for (let n = 0; n < 3; n++) {
        const again = tokensOf(await askRefresh(app, refresh_token))
        assert.equal(again.refresh_token, first.refresh_token)
        assert.notEqual(again.access_token, first.access_token)
        answers(await asBearer(app, again.access_token), 200)
      }
      answers(await askRefresh(app, first.refresh_token), 200)
    })

    const theft: [
      string,
      BearerTransportOptions,
      (use: (token: string) => Promise<string>, token: string) => Promise<void>,
      number,
    ][] = [
      [
        'after the grace period',
        { reuseGraceSeconds: 1 },
        async (use, token) => void (await use(token)),
        1100,
      ],
      [
        'whose successor has been used',
        {},
        async (use, token) => void (await use(await use(token))),
        0,
      ],
      [
        'with several later successors',
        {},
        async (use, token) => void (await use(await use(await use(token)))),
        0,
      ],
      [
        'without a grace period',
        { reuseGraceSeconds: 0 },
        async (use, token) => void (await use(token)),
        0,
      ],
    ]
    for (const [what, options, use, laterMs] of theft) {
      test(`reuse of a token ${what}: revokes only its family, with one event`, async (t) => {
        const heard = reuses(t)
        const app = await start(t, options, { hooks: heard.hooks })
        const { refresh_token } = await signedInBearer(app)
        const other = tokensOf(await askToken(app))
        let newest = refresh_token
        await use(async (token) => {
          newest = tokensOf(await askRefresh(app, token)).refresh_token
          return newest
        }, refresh_token)
        await delay(laterMs)
        refuses(await askRefresh(app, refresh_token), 'CRUDAUTH_INVALID_TOKEN', [
          refresh_token,
          newest,
        ])
        assert.deepEqual([heard.hooked, heard.published], [['ann'], ['ann']])
        for (const token of [newest, refresh_token])
          refuses(await askRefresh(app, token), 'CRUDAUTH_INVALID_TOKEN')
        assert.deepEqual([heard.hooked.length, heard.published.length], [1, 1])
        answers(await askRefresh(app, other.refresh_token), 200)
        assert.equal((await app.crudAuth.sessions.list(1)).length, 1)
      })
    }

    for (const first of ['thief', 'owner'] as const) {
      test(`thief and owner who share a token are both signed out after the grace period, ${first} first`, async (t) => {
        const heard = reuses(t)
        const app = await start(t, { reuseGraceSeconds: 1 }, { hooks: heard.hooks })
        const { refresh_token } = await signedInBearer(app)
        const held = { thief: refresh_token, owner: refresh_token }
        const use = async (who: keyof typeof held) => {
          held[who] = tokensOf(await askRefresh(app, held[who])).refresh_token
        }
        const second = first === 'thief' ? 'owner' : 'thief'
        // Within the grace period both get the same successor.
        await use(first)
        await use(second)
        assert.equal(held.thief, held.owner)
        await use(first)
        await delay(1100)
        assert.deepEqual(heard.hooked, [])
        refuses(await askRefresh(app, held[second]), 'CRUDAUTH_INVALID_TOKEN')
        refuses(await askRefresh(app, held[first]), 'CRUDAUTH_INVALID_TOKEN')
        assert.deepEqual([heard.hooked, heard.published], [['ann'], ['ann']])
        assert.deepEqual(await app.crudAuth.sessions.list(1), [])
      })
    }

    test('parallel reuse of an old token revokes the family with one event', async (t) => {
      const heard = reuses(t)
      const app = await start(t, {}, { hooks: heard.hooks })
      const { refresh_token } = await signedInBearer(app)
      const thief = tokensOf(await askRefresh(app, refresh_token))
      await askRefresh(app, thief.refresh_token)
      const responses = await Promise.all(times(20, () => askRefresh(app, refresh_token)))
      assert.deepEqual(statusesOf(responses), { 401: 20 })
      refuses(await askRefresh(app, thief.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
      assert.deepEqual([heard.hooked, heard.published], [['ann'], ['ann']])
      assert.deepEqual(await app.crudAuth.sessions.list(1), [])
    })

    test('parallel uses of an old and a new token leave at most one valid successor', async (t) => {
      const app = await start(t)
      const { refresh_token } = await signedInBearer(app)
      const next = tokensOf(await askRefresh(app, refresh_token))
      const responses = await Promise.all(
        times(40, (n) => askRefresh(app, n % 2 ? refresh_token : next.refresh_token)),
      )
      const given = responses
        .filter(({ statusCode }) => statusCode === 200)
        .map((response) => tokensOf(response).refresh_token)
      const alive: string[] = []
      for (const token of new Set(given))
        if ((await askRefresh(app, token)).statusCode === 200) alive.push(token)
      assert.ok(alive.length <= 1)
      assert.ok((await app.crudAuth.sessions.list(1)).length <= 1)
      for (const { statusCode } of responses) assert.ok(statusCode === 200 || statusCode === 401)
    })

    test('tokens forged from the public handle do not revoke the family', async (t) => {
      const heard = reuses(t)
      const app = await start(t, { reuseGraceSeconds: 0 }, { hooks: heard.hooks })
      const { refresh_token } = await signedInBearer(app)
      const [, tag = '', key = ''] = refresh_token.split('.')
      const [line] = await app.crudAuth.sessions.list(1)
      const handle = line?.sessionId ?? ''
      for (const token of [
        `${handle.slice(0, 22)}.${tag}.${handle}`,
        `${handle.slice(0, 22)}.${tag}.${key}`,
        `${tag}.${tag}.${key}`,
      ]) {
        for (const url of ['/refresh', '/logout'])
          assert.equal((await postJson(app, url, { refresh_token: token })).statusCode, 401)
      }
      assert.deepEqual([heard.hooked, heard.published], [[], []])
      answers(await askRefresh(app, refresh_token), 200)
    })

    test('parallel POST /logout-all: no refreshed token stays valid', async (t) => {
      const app = await build(t, {
        auth: {
          ...places(t, backend),
          lockout: false,
          transports: [
            sessionTransport({ managementRoutes: true }),
            bearerTransport({ refresh: 'body' }),
          ],
        },
      })
      const client = await signedIn(app, 'ann')
      for (let round = 0; round < 5; round++) {
        const lines = await Promise.all(times(4, () => askToken(app).then(tokensOf)))
        const [out, ...responses] = await Promise.all([
          client.post('/logout-all?keep_current=1'),
          ...times(40, (n) => askRefresh(app, lines[n % 4]?.refresh_token ?? '')),
        ])
        answers(out as LightMyRequestResponse, 200)
        for (const response of responses) {
          assert.ok([200, 401].includes(response.statusCode), response.body)
          if (response.statusCode === 200)
            refuses(
              await askRefresh(app, tokensOf(response).refresh_token),
              'CRUDAUTH_INVALID_TOKEN',
            )
        }
        assert.deepEqual(
          (await app.crudAuth.sessions.list(1)).map(({ kind }) => kind),
          ['session'],
        )
      }
    })

    test('parallel password change: no refreshed token stays valid, access tokens included', async (t) => {
      const app = await build(t, {
        auth: {
          ...places(t, backend),
          lockout: false,
          transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
        },
      })
      const client = await signedIn(app, 'ann')
      let current = password
      for (let round = 0; round < 4; round++) {
        const { refresh_token } = tokensOf(await askToken(app, 'ann', { password: current }))
        const next = `another good one ${round}`
        const [changed, ...responses] = await Promise.all([
          client.post('/change-password', { current_password: current, new_password: next }),
          ...times(30, () => askRefresh(app, refresh_token)),
        ])
        answers(changed as LightMyRequestResponse, 200)
        current = next
        for (const response of responses) {
          assert.ok([200, 401].includes(response.statusCode), response.body)
          if (response.statusCode !== 200) continue
          const tokens = tokensOf(response)
          refuses(await askRefresh(app, tokens.refresh_token), 'CRUDAUTH_INVALID_TOKEN')
          refuses(await asBearer(app, tokens.access_token), 'CRUDAUTH_UNAUTHENTICATED')
        }
        assert.deepEqual(
          (await app.crudAuth.sessions.list(1)).map(({ kind }) => kind),
          ['session'],
        )
        answers(await client.get('/me'), 200)
      }
    })

    test('parallel POST /logout: no refreshed token stays valid', async (t) => {
      const app = await start(t, {}, { lockout: false })
      await new Client(app).register('ann')
      for (let round = 0; round < 8; round++) {
        const { refresh_token } = tokensOf(await askToken(app))
        const responses = await Promise.all([
          ...times(5, () => askRefresh(app, refresh_token)),
          postJson(app, '/logout', { refresh_token }),
          ...times(5, () => askRefresh(app, refresh_token)),
        ])
        for (const response of responses) {
          if (response.statusCode !== 200 || !response.body.includes('refresh_token')) continue
          refuses(await askRefresh(app, tokensOf(response).refresh_token), 'CRUDAUTH_INVALID_TOKEN')
        }
        assert.deepEqual(await app.crudAuth.sessions.list(1), [])
      }
    })
  })
}

test('refresh tokens: 100 parallel uses across two processes return the same successor', {
  skip: !serverUrl('TEST_REDIS_URL'),
}, async (t) => {
  const shared = {
    redis: serverUrl('TEST_REDIS_URL') as string,
    keyPrefix: uniquePrefix(),
    users: memoryUsers(),
  }
  const apps = [await bearerApp(t, null, {}, shared), await bearerApp(t, null, {}, shared)]
  const { refresh_token } = await signedInBearer(apps[0] as never)
  const responses = await Promise.all(
    times(100, (n) => askRefresh(apps[n % 2] as never, refresh_token)),
  )
  assert.deepEqual(statusesOf(responses), { 200: 100 })
  assert.equal(new Set(responses.map((response) => tokensOf(response).refresh_token)).size, 1)
})
