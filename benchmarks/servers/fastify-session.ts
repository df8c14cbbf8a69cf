import cookie from '@fastify/cookie'
import fastifySession, { type SessionStore } from '@fastify/session'
import Fastify, { type Session } from 'fastify'
import { Redis } from 'ioredis'
import { emailOf, type Me, meSchema, secret, unauthorized, usernameOf } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import { activeOf, type Case, inBatches } from '../lib/settings.js'

declare module 'fastify' {
  interface Session {
    me?: Me
  }
}

const idleSeconds = 1800

/** The leanest store that the interface allows, with the Redis settings of the other servers. */
function redisStore(redis: Redis): SessionStore {
  const keyOf = (id: string) => `sess:${id}`
  return {
    get(id, callback) {
      redis
        .get(keyOf(id))
        .then(
          (text) => callback(null, text === null ? null : (JSON.parse(text) as Session)),
          callback,
        )
    },
    set(id, session, callback) {
      redis
        .set(keyOf(id), JSON.stringify(session), 'EX', idleSeconds)
        .then(() => callback(), callback)
    },
    destroy(id, callback) {
      redis.del(keyOf(id)).then(() => callback(), callback)
    },
  }
}

/**
 * @fastify/session with its defaults: rolling, so that idle sessions expire.
 * It loads no user, because the response is stored in the session.
 */
await serve(async (settings) => {
  const redis = new Redis(settings.redisUrl, { enableAutoPipelining: true })
  const app = Fastify()
  await app.register(cookie)
  await app.register(fastifySession, {
    secret,
    store: redisStore(redis),
    saveUninitialized: false,
    cookie: { secure: false, maxAge: idleSeconds * 1000 },
  })
  app.post<{ Body: Me }>('/sign-in', async (request) => {
    request.session.me = request.body
    return { ok: true }
  })
  app.get('/me', { schema: { response: { 200: meSchema } } }, async (request): Promise<Me> => {
    if (!request.session.me) throw unauthorized()
    return request.session.me
  })

  const active = new Map(activeOf(settings).map((index, at) => [index, at]))
  const me: Case[] = []
  await inBatches(settings.users, async (index) => {
    const expect: Me = {
      user_id: index + 1,
      username: usernameOf(index),
      email: emailOf(index),
      is_superuser: false,
      scopes: [],
      via: 'session',
    }
    const { cookies } = await app.inject({ method: 'POST', url: '/sign-in', payload: expect })
    const at = active.get(index)
    const set = cookies[0]
    if (!set) throw new Error('@fastify/session set no cookie')
    const value = encodeURIComponent(set.value)
    if (at !== undefined)
      me[at] = {
        method: 'GET',
        path: '/me',
        headers: { cookie: `${set.name}=${value}` },
        expect: { ...expect },
      }
  })
  return { app, cases: { me } }
})
