import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import crudAuth, { memoryUsers, sessionTransport, type Transport } from '../../src/index.js'
import { build, captureLogs, cheap, secret } from '../helpers/build.js'

/** A transport with a route. */
const apikey: Transport = {
  name: 'apikey',
  authenticate: async () => null,
  routes: async (app) => void app.get('/keys', async () => 'keys'),
}

test('routes: false mounts nothing, not even the routes of a custom transport', async (t) => {
  const transports = [sessionTransport({ managementRoutes: true }), apikey]
  for (const [routes, status] of [
    [false, 404],
    [true, 200],
    [undefined, 200],
  ] as const) {
    const app = await build(t, { auth: { routes, transports, prefix: '/auth' } })
    assert.equal((await app.inject('/auth/keys')).statusCode, status)
    assert.equal((await app.inject('/auth/me')).statusCode, status === 404 ? 404 : 401)
    if (routes === false)
      assert.equal(app.printRoutes({ commonPrefix: false }).trim(), '(empty tree)')
  }
})

test('logLevel: the option of the registration applies to the plugin’s routes only', async (t) => {
  const { lines, logger } = captureLogs('info')
  const app = Fastify({ logger })
  t.after(() => app.close())
  const transports = [sessionTransport({ managementRoutes: true }), apikey]
  await app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports,
    logLevel: 'silent',
  })
  app.get('/own', { onRequest: app.currentUser({ optional: true }) }, async () => 'own')
  await app.ready()
  lines.length = 0
  const quiet = [
    'GET /me',
    'POST /login',
    'POST /logout',
    'GET /sessions',
    'POST /csrf/refresh',
    'GET /keys',
  ]
  for (const route of quiet) {
    const [method, url = ''] = route.split(' ') as ['GET' | 'POST', string]
    assert.notEqual((await app.inject({ method, url })).statusCode, 404)
    assert.deepEqual(lines, [], route)
  }
  assert.equal((await app.inject('/own')).statusCode, 200)
  assert.ok(lines.some((line) => line.includes('/own')))
})
