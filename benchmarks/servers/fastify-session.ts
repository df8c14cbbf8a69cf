import cookie from '@fastify/cookie'
import fastifySession, { type SessionStore } from '@fastify/session'
import Fastify, { type Session } from 'fastify'
import { Redis } from 'ioredis'
import { handWrittenUsers, meOf } from '../lib/hand-written.js'
import { expectedMe, type Me, meCase, meSchema, secret, unauthorized } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import { activeOf, type Case, inBatches, type Settings } from '../lib/settings.js'

declare module 'fastify' {
  interface Session {
    /** Only its id counts where users are in a database. */
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

/** The user of a session by its id, or the answer in the session itself, without a database. */
async function meOfSession(settings: Settings) {
  if (settings.postgresUrl === undefined) return async (session: Session) => session.me
  const findUser = await handWrittenUsers(settings)
  return async ({ me }: Session) => {
    const user = me && (await findUser(me.user_id))
    return user?.is_active ? meOf(user, 'session') : undefined
  }
}

/** @fastify/session with its defaults: rolling, so that idle sessions expire. */
await serve(async (settings) => {
  const redis = new Redis(settings.redisUrl ?? '')
  const findMe = await meOfSession(settings)
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
    const me = await findMe(request.session)
    if (!me) throw unauthorized()
    return me
  })

  const active = activeOf(settings)
  const me: Case[] = []
  await inBatches(settings.users, async (index) => {
    const payload: Me = { user_id: index + 1, ...expectedMe(index) }
    const { cookies } = await app.inject({ method: 'POST', url: '/sign-in', payload })
    const at = active.get(index)
    const set = cookies[0]
    if (!set) throw new Error('@fastify/session set no cookie')
    const cookie = `${set.name}=${encodeURIComponent(set.value)}`
    if (at !== undefined) me[at] = meCase(index, { cookie })
  })
  return { app, cases: { me } }
})
