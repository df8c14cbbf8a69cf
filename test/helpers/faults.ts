import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyServerOptions, LightMyRequestResponse } from 'fastify'
import { type RedisServer, startRedis } from '../../scripts/services/redis.js'
import type { CrudAuthOptions } from '../../src/index.js'
import { serverUrl } from './backends.js'
import { build, password } from './build.js'
import { noUnhandledRejections } from './hostile.js'

/** The `skip` option for node:test: these tests need a Redis server. */
export const skip = serverUrl('TEST_REDIS_URL') ? false : 'TEST_REDIS_URL is not set'

/**
 * Starts a Redis server that the test may kill and pause.
 * @param port the port of a server that was stopped, to restart it with no data
 */
export async function serve(t: TestContext, port?: number): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-faults-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const server = await startRedis(folder, port === undefined ? {} : { port })
  t.after(() => {
    // A paused process doesn't react to SIGTERM.
    if (server.isAlive()) server.resume()
    return server.stop()
  })
  return server
}

/**
 * Repeats a request until the status is not 503.
 * The 30 seconds are not an expectation. They only end a test that would hang.
 */
export async function recovers(
  ask: () => Promise<LightMyRequestResponse>,
): Promise<LightMyRequestResponse> {
  const endMs = Date.now() + 30_000
  for (;;) {
    const response = await ask()
    if (response.statusCode !== 503) return response
    assert.ok(Date.now() < endMs, 'it never recovers')
    await delay(50)
  }
}

/** Starts a proxy to a server that counts the round trips of its clients. */
export async function countingProxy(t: TestContext, port: number) {
  let trips = 0
  let waiting = false
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.on('data', (chunk) => {
      // Data sent before the response arrives belongs to the same round trip.
      if (!waiting) trips++
      waiting = true
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      waiting = false
      client.write(chunk)
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    /** Counts the round trips of `run`. */
    async of(run: () => Promise<unknown>): Promise<number> {
      const before = trips
      await run()
      return trips - before
    },
  }
}

/**
 * An app on a Redis server, with a route behind each gate.
 * `told` collects the reasons that `onLoginFailed` reports.
 */
export const appOn = (t: TestContext, redis: string, auth: Partial<CrudAuthOptions> = {}) =>
  appOnState(t, { redis, timeouts: { redisMs: 600 }, ...auth })

/** Like `appOn`, with any state. */
export async function appOnState(
  t: TestContext,
  auth: Partial<CrudAuthOptions>,
  fastify: FastifyServerOptions = {},
) {
  noUnhandledRejections(t)
  const told: string[] = []
  const app = await build(t, {
    fastify,
    auth: {
      timeouts: { stateMs: 600 },
      rateLimits: {},
      hooks: { onLoginFailed: ({ reason }) => told.push(reason) },
      ...auth,
    },
    routes(app) {
      app.get('/optional', { onRequest: app.currentUser({ optional: true }) }, async () => ({}))
      app.get('/elevated', { onRequest: app.requireSudo }, async () => ({}))
      app.get('/fresh', { onRequest: app.requireFresh }, async () => ({}))
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
        await app.crudAuth.sudo.elevate(request, { password: password })
        return {}
      })
    },
  })
  return { app, told }
}
