import { verify } from '@node-rs/argon2'
import Fastify from 'fastify'
import { hashedPassword } from '../lib/argon2.js'
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
  const app = Fastify()
  app.post<{ Body: { username: string; password: string } }>(
    '/login',
    { schema },
    async (request) => {
      return { ok: await verify(hashedPassword, request.body.password) }
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
