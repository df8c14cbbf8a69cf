import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import crudAuth, { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

/** Hooks of apps that wrap every response. */
const hooks: Record<string, (app: FastifyInstance) => void> = {
  'a preSerialization hook that wraps': (app) =>
    void app.addHook('preSerialization', async (_request, _reply, payload) => ({
      success: true,
      data: payload,
    })),
  'a preSerialization hook that wraps, and the app’s own serializer': (app) => {
    app.addHook('preSerialization', async (_request, _reply, payload) => ({
      success: true,
      data: payload,
    }))
    app.setReplySerializer((payload) => JSON.stringify(payload))
  },
  'an onSend hook that wraps': (app) =>
    void app.addHook('onSend', async (_request, reply, payload) => {
      if (typeof payload !== 'string' || payload === '') return payload
      reply.removeHeader('content-length')
      return JSON.stringify({ success: true, data: JSON.parse(payload) })
    }),
}

for (const [what, add] of Object.entries(hooks)) {
  test(`${what}: responses are wrapped, and none becomes a 500`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    add(app)
    await app.register(crudAuth, {
      secret,
      users: memoryUsers(),
      passwords: { cost: cheap },
      transports: [sessionTransport({ managementRoutes: true }), bearerTransport()],
    })
    const client = new Client(app)
    const registered = await client.register('ann')
    assert.equal(registered.statusCode, 201)
    assert.deepEqual(registered.json(), {
      success: true,
      data: { id: 1, email: 'ann@example.com', username: 'ann' },
    })
    const login = await client.form('/login', { username: 'ann', password })
    assert.equal(login.statusCode, 200)
    client.csrf = login.json().data.csrf_token
    assert.equal((await client.get('/me')).json().data.username, 'ann')
    assert.equal((await client.get('/sessions')).json().data.length, 1)
    const token = await client.form('/token', { username: 'ann', password })
    assert.equal(typeof token.json().data.access_token, 'string')
    const refused = await new Client(app).get('/me')
    assert.equal(refused.statusCode, 401)
    assert.equal((await client.post('/logout')).statusCode, 200)
  })
}

test('a hook that does not wrap: responses have only the fields of the schema', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  // Returns the same payload, with a field that is not in the schema.
  const payloads: string[][] = []
  app.addHook('preSerialization', async (_request, _reply, payload) => {
    Object.assign(payload as object, { hashedPassword: 'not for clients' })
    payloads.push(Object.keys(payload as object).sort())
    return payload
  })
  await app.register(crudAuth, { secret, users: memoryUsers(), passwords: { cost: cheap } })
  assert.deepEqual(Object.keys((await new Client(app).register('ann')).json()).sort(), [
    'email',
    'id',
    'username',
  ])
  assert.deepEqual(payloads, [['email', 'hashedPassword', 'id', 'username']])
})
