import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { crudAuth, memoryUsers } from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'

const payload = { email: 'ann@example.com', username: 'ann', password }

for (const own of [false, true]) {
  test(`error handler: its response to a throwing onSend hook is not filtered by the route schema${own ? ', with its own serializer' : ''}`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    let throws = true
    app.setErrorHandler((error, _request, reply) => {
      if (own) reply.serializer((body: unknown) => `own ${JSON.stringify(body)}`)
      return reply.code(500).send({ told: (error as Error).message })
    })
    app.addHook('onSend', async (_request, _reply, body) => {
      if (!throws) return body
      throws = false
      throw new Error('no more')
    })
    await app.register(crudAuth, { secret, users: memoryUsers(), passwords: { cost: cheap } })
    const response = await app.inject({ method: 'POST', url: '/register', payload })
    assert.deepEqual(
      [response.statusCode, response.body],
      [500, `${own ? 'own ' : ''}{"told":"no more"}`],
    )
    const again = await app.inject({
      method: 'POST',
      url: '/register',
      payload: { ...payload, email: 'x@example.com', username: 'x' },
    })
    assert.deepEqual(Object.keys(again.json()), ['id', 'email', 'username'])
  })
}
