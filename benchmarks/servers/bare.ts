import Fastify from 'fastify'
import { emailOf, idleCookie, type Me, meSchema, usernameOf } from '../lib/me.js'
import { serve } from '../lib/serve.js'

/** A route with a constant response: the maximum of Fastify on this machine. */
await serve(async () => {
  const app = Fastify()
  app.get('/me', { schema: { response: { 200: meSchema } } }, async (): Promise<Me> => {
    return {
      user_id: 1,
      username: usernameOf(0),
      email: emailOf(0),
      is_superuser: false,
      scopes: [],
      via: 'session',
    }
  })
  const expect = {
    user_id: 1,
    username: usernameOf(0),
    email: emailOf(0),
    is_superuser: false,
    scopes: [],
    via: 'session',
  }
  return {
    app,
    cases: { me: [{ method: 'GET', path: '/me', headers: { cookie: idleCookie }, expect }] },
  }
})
