import { hash, verify } from '@node-rs/argon2'
import Fastify from 'fastify'
import { emailOf, password } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import type { Case } from '../lib/settings.js'

const schema = {
  body: {
    type: 'object',
    properties: { username: { type: 'string' }, password: { type: 'string' } },
    required: ['username', 'password'],
  },
  response: { 200: { type: 'object', properties: { ok: { type: 'boolean' } } } },
} as const

/** The maximum logins of a machine: only one argon2id each, with the plugin's default cost. */
await serve(async (settings) => {
  const stored = await hash(password, {
    algorithm: 2,
    memoryCost: 19_456,
    timeCost: 2,
    parallelism: 1,
  })
  const app = Fastify()
  app.post<{ Body: { username: string; password: string } }>(
    '/login',
    { schema },
    async (request) => {
      return { ok: await verify(stored, request.body.password) }
    },
  )
  const login = Array.from(
    { length: settings.signIns },
    (_, at): Case => ({
      method: 'POST',
      path: '/login',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: emailOf(settings.users + at), password }),
      expect: { ok: true },
    }),
  )
  return { app, cases: { login } }
})
