import Fastify from 'fastify'
import { expectedMe, type Me, meCase, meSchema } from '../lib/me.js'
import { serve } from '../lib/serve.js'

/** As long as the cookies of the other servers, so that the requests are comparable. */
const idleCookie = `session=${'x'.repeat(66)}`

/** A route with a constant response: the maximum of Fastify on this machine. */
await serve(async () => {
  const app = Fastify()
  app.get('/me', { schema: { response: { 200: meSchema } } }, async (): Promise<Me> => {
    return { user_id: 1, ...expectedMe(0) }
  })
  return { app, cases: { me: [meCase(0, { cookie: idleCookie })] } }
})
