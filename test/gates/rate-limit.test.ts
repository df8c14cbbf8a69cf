import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import type { CrudAuthOptions, RateLimit, RateLimitOption } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

const one: RateLimit = { max: 1, windowSeconds: 60 }

for (const backend of backends) {
  describe(`${backend.name}: app.crudAuth.rateLimit`, () => {
    const start = (
      t: Parameters<typeof build>[0],
      routes: NonNullable<Parameters<typeof build>[1]>['routes'],
      auth: Partial<CrudAuthOptions> = {},
    ) => build(t, { auth: { ...backend.options(), ...auth }, ...(routes && { routes }) })

    test('rateLimit: counts per address, sends X-RateLimit headers, resets after the window', async (t) => {
      const app = await start(t, (app) => {
        app.get(
          '/x',
          { onRequest: app.crudAuth.rateLimit('x', { max: 2, windowSeconds: 1 }) },
          async () => 'in',
        )
      })
      const send = async (status: number, remaining: string, remoteAddress = '127.0.0.1') => {
        const response = await app.inject({ url: '/x', remoteAddress })
        assert.equal(response.statusCode, status)
        assert.equal(response.headers['x-ratelimit-limit'], '2')
        assert.equal(response.headers['x-ratelimit-remaining'], remaining)
        assert.equal(response.headers['x-ratelimit-reset'], '1')
        return response
      }
      await send(200, '1')
      await send(200, '0')
      refuses(await send(429, '0'), 'CRUDAUTH_RATE_LIMITED')
      await send(200, '1', '198.51.100.7')
      await wait(1200)
      await send(200, '1')
    })

    test('rateLimit: routes with one action share a counter, another action has its own', async (t) => {
      const app = await start(t, (app) => {
        app.get('/a', { onRequest: app.crudAuth.rateLimit('shared', one) }, async () => 'in')
        app.get('/b', { onRequest: app.crudAuth.rateLimit('shared', one) }, async () => 'in')
        app.get('/c', { onRequest: app.crudAuth.rateLimit('other', one) }, async () => 'in')
      })
      assert.equal((await app.inject('/a')).statusCode, 200)
      refuses(await app.inject('/b'), 'CRUDAUTH_RATE_LIMITED')
      assert.equal((await app.inject('/c')).statusCode, 200)
    })

    test('rateLimit: key "user" counts per user across addresses, anonymous requests per address', async (t) => {
      const app = await start(t, (app) => {
        const gates = [
          app.currentUser({ optional: true }),
          app.crudAuth.rateLimit('x', one, { key: 'user' }),
        ]
        app.get('/x', { onRequest: gates }, async () => 'in')
      })
      const client = await signedIn(app, 'ann')
      const bob = await signedIn(app, 'bob')
      assert.equal((await client.get('/x')).statusCode, 200)
      refuses(await client.get('/x', { remoteAddress: '198.51.100.7' }), 'CRUDAUTH_RATE_LIMITED')
      assert.equal((await bob.get('/x')).statusCode, 200)
      assert.equal((await app.inject('/x')).statusCode, 200)
      refuses(await app.inject('/x'), 'CRUDAUTH_RATE_LIMITED')
    })

    test('rateLimit: a key function chooses the counter', async (t) => {
      const key = async (request: FastifyRequest) => String(request.headers['x-tenant'])
      const app = await start(t, (app) => {
        app.get('/x', { onRequest: app.crudAuth.rateLimit('x', one, { key }) }, async () => 'in')
      })
      const send = (tenant: string) => app.inject({ url: '/x', headers: { 'x-tenant': tenant } })
      assert.equal((await send('a')).statusCode, 200)
      assert.equal((await send('b')).statusCode, 200)
      refuses(await send('a'), 'CRUDAUTH_RATE_LIMITED')
    })

    test('rateLimit: the limit can be a function of the request, or false for no limit', async (t) => {
      const limit: RateLimitOption = async (request) =>
        request.headers['x-plan'] === 'gold' ? false : one
      const app = await start(t, (app) => {
        app.get('/x', { onRequest: app.crudAuth.rateLimit('x', limit) }, async () => 'in')
        app.get('/off', { onRequest: app.crudAuth.rateLimit('off', false) }, async () => 'in')
      })
      assert.equal((await app.inject('/x')).statusCode, 200)
      refuses(await app.inject('/x'), 'CRUDAUTH_RATE_LIMITED')
      const gold = await app.inject({ url: '/x', headers: { 'x-plan': 'gold' } })
      assert.equal(gold.statusCode, 200)
      assert.equal(gold.headers['x-ratelimit-limit'], undefined)
      for (let n = 0; n < 5; n++) assert.equal((await app.inject('/off')).statusCode, 200)
    })

    test('rateLimits: built-in actions accept a function of the request, or false', async (t) => {
      const app = await start(t, undefined, {
        freshSeconds: 1,
        rateLimits: {
          register: (request) => (request.headers['x-trusted'] ? false : one),
          logout_all: false,
        },
      })
      answers(await new Client(app).register('a1'), 201)
      refusesOwn(await new Client(app).register('a2'), 'CRUDAUTH_RATE_LIMITED')
      answers(await new Client(app, '', { headers: { 'x-trusted': '1' } }).register('a2'), 201)

      // The default is ten an hour, except for a session that has just signed in.
      const client = new Client(app)
      answers(await client.login('a1'), 200)
      await wait(1100)
      for (let n = 0; n < 12; n++) {
        const response = await client.post('/logout-all?keep_current=true')
        answers(response, 200)
        assert.equal(response.headers['x-ratelimit-limit'], undefined)
      }
    })

    test('rateLimit: without a limit argument, the limit of that action in rateLimits applies', async (t) => {
      const app = await start(
        t,
        (app) => {
          app.get('/x', { onRequest: app.crudAuth.rateLimit('export') }, async () => 'in')
        },
        { rateLimits: { export: one } },
      )
      assert.equal((await app.inject('/x')).statusCode, 200)
      refuses(await app.inject('/x'), 'CRUDAUTH_RATE_LIMITED')
    })
  })
}

describe('rateLimit: invalid limits', () => {
  for (const [what, limit] of [
    ['undefined', undefined],
    ['true', true],
    ['a number', 5],
    ['no max', { windowSeconds: 1 }],
    ['no window', { max: 1 }],
    ['zero', { max: 0, windowSeconds: 1 }],
    ['a fraction', { max: 1.5, windowSeconds: 1 }],
    ['text', { max: '5', windowSeconds: 1 }],
    ['an unknown member', { max: 1, windowSeconds: 1, ban: true }],
  ] as const) {
    test(`rateLimit: ${what} is rejected when the hook is built`, async (t) => {
      const app = await build(t)
      assert.throws(
        () => app.crudAuth.rateLimit('x', limit as RateLimit),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'CRUDAUTH_CONFIG')
          assert.match(error.message, /rateLimits\.x/)
          return true
        },
      )
    })
  }

  test('rateLimit: an unknown key or option is rejected when the hook is built', async (t) => {
    const app = await build(t)
    assert.throws(() => app.crudAuth.rateLimit('x', one, { key: 'device' as 'ip' }), {
      code: 'CRUDAUTH_CONFIG',
    })
    assert.throws(() => app.crudAuth.rateLimit('x', one, { keys: 'ip' } as never), {
      code: 'CRUDAUTH_CONFIG',
    })
  })

  test('rateLimit: an invalid limit from a function fails the request with 500', async (t) => {
    const app = await build(t, {
      routes: (app) =>
        void app.get(
          '/x',
          { onRequest: app.crudAuth.rateLimit('x', (() => ({ max: 0 })) as never) },
          async () => 'in',
        ),
    })
    assert.equal((await app.inject('/x')).statusCode, 500)
  })
})
