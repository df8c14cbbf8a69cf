import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { memoryUsers, type UserStore } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { captureLogs } from '../helpers/build.js'
import { recovers, serve, skip } from '../helpers/faults.js'
import { noUnhandledRejections, sessionCookie } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  fields,
  landsFailed,
  landsOn,
  refusesCallback,
} from '../helpers/oauth.js'
import { refuses } from '../helpers/refuses.js'

suite('sign-in with a provider during outages of Redis', { skip }, () => {
  test('Redis paused: the callback is 503, keeps the code unused, and works afterwards', async (t) => {
    noUnhandledRejections(t)
    const server = await serve(t)
    const { app, acme, rows } = await buildOAuth(t, {
      auth: { redis: server.url, timeouts: { redisMs: 300 } },
    })
    const browser = new Browser(app)
    const query = await browser.begin('/oauth/acme/authorize?redirect_to=/home')
    server.pause()
    for (let i = 0; i < 2; i++) {
      const answer = await browser.finish(query, ada)
      refuses(answer, 'CRUDAUTH_UNAVAILABLE')
      assert.equal(answer.headers['set-cookie'], undefined)
    }
    const begun = await browser.get('/oauth/acme/authorize')
    refuses(begun, 'CRUDAUTH_UNAVAILABLE')
    assert.equal(begun.headers.location, undefined)
    assert.equal(acme.grants.length, 0)
    assert.deepEqual(await rows(), [])
    server.resume()
    landsOn(await recovers(() => browser.finish(query, ada)), '/home')
    assert.equal((await browser.me()).username, 'ada')
    refusesCallback(await browser.finish(query, ada))
  })

  test('Redis restarted: 503 while it is down, then the state is unknown and a new sign-in works', async (t) => {
    noUnhandledRejections(t)
    const server = await serve(t)
    const { app, rows } = await buildOAuth(t, {
      auth: { redis: server.url, timeouts: { redisMs: 300 } },
    })
    const browser = new Browser(app)
    const query = await browser.begin()
    const ann = await browserOf(app, 'ann')
    await server.kill()
    refuses(await browser.finish(query, ada), 'CRUDAUTH_UNAVAILABLE')
    refuses(await browser.get('/oauth/acme/authorize'), 'CRUDAUTH_UNAVAILABLE')
    for (const answer of [
      await ann.post('/oauth/acme/link'),
      await ann.delete('/oauth/acme'),
      await ann.get('/oauth/accounts'),
    ]) {
      refuses(answer, 'CRUDAUTH_UNAVAILABLE')
    }
    assert.equal((await rows()).length, 1)
    await serve(t, server.port)
    refusesCallback(await recovers(() => browser.finish(query, ada)))
    landsOn(await browser.signIn(ada), '/start')
  })
})

/** A user store that fails or hangs on demand. */
function frail(inner: UserStore) {
  const state = { mode: 'up' as 'up' | 'failing' | 'hanging' }
  const verb =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      if (state.mode === 'failing')
        return Promise.reject(new Error('connection to db-7.internal refused'))
      return state.mode === 'hanging' ? new Promise<never>(() => {}) : call(...args)
    }
  const store: UserStore = {
    fields: inner.fields,
    findById: verb(inner.findById),
    findBy: verb(inner.findBy),
    create: verb(inner.create),
    update: verb(inner.update),
    compareAndSet: verb(inner.compareAndSet),
  }
  return { store, state }
}

for (const backend of backends) {
  for (const mode of ['failing', 'hanging'] as const) {
    test(`${backend.name}: user store ${mode}: requests are 503, and a new sign-in works afterwards`, async (t) => {
      noUnhandledRejections(t)
      const { lines, logger } = captureLogs('warn')
      const users = frail(memoryUsers({ fields }))
      const { app } = await buildOAuth(t, {
        auth: { ...backend.options(), users: users.store, timeouts: { usersMs: 150 } },
        fastify: { logger },
      })
      const browser = new Browser(app)
      const query = await browser.begin()
      const ann = await browserOf(app, 'ann')
      const linking = await ann.beginLink()
      lines.length = 0
      users.state.mode = mode
      for (const answer of [
        await browser.finish(query, ada),
        await ann.finish(linking, { sub: 'ann' }),
        await ann.post('/oauth/acme/link'),
        await ann.delete('/oauth/acme'),
        await ann.get('/oauth/accounts'),
      ]) {
        refuses(answer, 'CRUDAUTH_UNAVAILABLE', ['db-7'])
        assert.ok(!(sessionCookie in setCookies(answer)))
      }
      assert.equal(
        (await browser.get('/oauth/acme/authorize')).statusCode,
        302,
        'it does not need the user store',
      )
      assert.ok(
        !lines.join('').includes('sign-in with a provider failed'),
        'it is not logged as a failure of the provider',
      )
      users.state.mode = 'up'
      refusesCallback(await browser.finish(query, ada))
      landsOn(await browser.signIn(ada), '/start')
      landsOn(await ann.link({ sub: 'ann' }), '/start')
      assert.equal((await browser.me()).username, 'ada')
    })
  }
}

test('registration.fields: a value that the database cannot store fails and creates no user', async (t) => {
  const { app, rows } = await buildOAuth(t, {
    auth: { registration: { fields: () => ({ plan: 'a\0b' }) } },
  })
  landsFailed(await new Browser(app).signIn(ada))
  assert.deepEqual(await rows(), [])
})

test('providers: nothing is fetched before the first sign-in', async (t) => {
  const { app, acme, other } = await buildOAuth(t)
  assert.deepEqual([...acme.requests, ...other.requests], [])
  landsOn(await new Browser(app).signIn(ada), '/start')
  assert.deepEqual(other.requests, [])
})

test('app.close(): closes a connection to a provider that does not answer', async (t) => {
  const { app, acme } = await buildOAuth(t, { auth: { timeouts: { oauthMs: 30_000 } } })
  const browser = new Browser(app)
  const query = await browser.begin()
  const asked = new Promise<Socket>((resolve) => {
    acme.on.token = (_response, request) => resolve(request.socket)
  })
  const pending = browser.finish(query, ada)
  const socket = await asked
  assert.equal(socket.destroyed, false)
  const ended = once(socket, 'close').then(() => 'closed')
  await app.close()
  // Far below the time limit of the provider.
  assert.equal(await Promise.race([ended, delay(10_000, 'open', { ref: false })]), 'closed')
  landsFailed(await pending)
})
