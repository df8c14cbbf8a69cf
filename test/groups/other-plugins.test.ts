import assert from 'node:assert/strict'
import { test } from 'node:test'
import auth from '@fastify/auth'
import cookie from '@fastify/cookie'
import jwt from '@fastify/jwt'
import multipart from '@fastify/multipart'
import rateLimit from '@fastify/rate-limit'
import session from '@fastify/session'
import Fastify, { type FastifyInstance } from 'fastify'
import { bearerTransport, crudAuth, memoryUsers, sessionTransport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { cheap, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const register = (app: FastifyInstance) =>
  app.register(crudAuth, {
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [sessionTransport(), bearerTransport({ refresh: 'body' })],
  })

/** Plugins that apps commonly register beside this one. */
const plugins: Record<string, (app: FastifyInstance) => Promise<void>> = {
  '@fastify/auth': async (app) => {
    await app.register(auth)
  },
  '@fastify/rate-limit': async (app) => {
    await app.register(rateLimit, { global: false })
  },
  '@fastify/jwt': async (app) => {
    await app.register(jwt, { secret: 'another secret, which is long enough' })
  },
  '@fastify/multipart': async (app) => {
    await app.register(multipart, { attachFieldsToBody: true })
  },
  '@fastify/session': async (app) => {
    await app.register(cookie)
    await app.register(session, {
      secret: 'another secret, which is long enough',
      cookie: { secure: false },
    })
  },
}
const all = async (app: FastifyInstance) => {
  for (const add of Object.values(plugins)) await add(app)
}

for (const [name, add] of Object.entries({ ...plugins, 'all of them': all })) {
  for (const place of ['before', 'after']) {
    test(`${name} registered ${place} crudAuth: sign-in, gates and forms still work`, async (t) => {
      const app = Fastify()
      t.after(() => app.close())
      if (place === 'before') await add(app)
      await register(app)
      if (place === 'after') await add(app)
      app.get('/own', { preHandler: app.currentUser() }, async ({ principal }) => ({
        id: principal.userId,
      }))
      if (app.hasDecorator('auth')) {
        app.get('/either', { preHandler: app.auth([app.currentUser() as never]) }, async () => 'in')
      }
      const client = new Client(app)
      const account = { email: 'ann@example.com', username: 'ann', password }
      const { id } = answers(await client.post('/register', account), 201)
      answers(await client.login('ann'), 200)
      assert.deepEqual((await client.get('/own')).json(), { id })
      if (app.hasDecorator('auth')) {
        assert.equal((await client.get('/either')).body, 'in')
        assert.equal((await app.inject('/either')).statusCode, 401)
      }
      const form = new FormData()
      form.set('username', 'ann')
      form.set('password', password)
      const { body, headers } = new Response(form) as unknown as { body: never; headers: Headers }
      const token = await app.inject({
        method: 'POST',
        url: '/token',
        headers: { 'content-type': String(headers.get('content-type')) },
        payload: Buffer.from(await new Response(body).arrayBuffer()),
      })
      assert.equal(answers(token, 200).token_type, 'bearer')
    })
  }
}
