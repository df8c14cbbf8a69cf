import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { openPool, sqliteDialect } from '../lib/databases.js'
import { emailOf, meSchema, password, secret, unauthorized, usernameOf } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import { activeOf, type Case, inBatches } from '../lib/settings.js'

const betterSchema = {
  ...meSchema,
  properties: { ...meSchema.properties, user_id: { type: 'string' } },
} as const

const secondaryStorage = (redis: Redis) => ({
  get: (key: string) => redis.get(`better:${key}`),
  getAndDelete: (key: string) => redis.getdel(`better:${key}`),
  increment: async (key: string, seconds: number) => {
    const count = await redis.incr(`better:${key}`)
    if (count === 1) await redis.expire(`better:${key}`, seconds)
    return count
  },
  set: async (key: string, value: string, seconds?: number) => {
    if (seconds) await redis.set(`better:${key}`, value, 'EX', seconds)
    else await redis.set(`better:${key}`, value)
  },
  delete: async (key: string) => {
    await redis.del(`better:${key}`)
  },
})

/**
 * better-auth with Fastify as documented: `getSession` in a route, a pool of pg or Kysely's SQLite
 * dialect as its database, and Redis as its secondary storage, where it keeps each session with its
 * user. Its hashing is a no-op, to create users fast: password hashing isn't measured here.
 */
await serve(async (settings) => {
  const { postgresUrl, redisUrl, folder } = settings
  const auth = betterAuth({
    baseURL: 'http://127.0.0.1',
    secret,
    database:
      postgresUrl === undefined
        ? { dialect: sqliteDialect(folder), type: 'sqlite' }
        : openPool(postgresUrl),
    emailAndPassword: {
      enabled: true,
      password: {
        hash: async (text) => `plain:${text}`,
        verify: async ({ hash, password: text }) => hash === `plain:${text}`,
      },
    },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    ...(redisUrl !== undefined && {
      secondaryStorage: secondaryStorage(new Redis(redisUrl)),
    }),
  })
  const { runMigrations } = await getMigrations(auth.options)
  await runMigrations()

  const app = Fastify()
  app.get('/me', { schema: { response: { 200: betterSchema } } }, async (request) => {
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers))
      if (typeof value === 'string') headers.append(name, value)
    const session = await auth.api.getSession({ headers })
    if (!session) throw unauthorized()
    const { id, name, email } = session.user
    return {
      user_id: id,
      username: name,
      email,
      is_superuser: false,
      scopes: [],
      via: 'session',
    }
  })

  const active = activeOf(settings)
  const me: Case[] = []
  await inBatches(
    settings.users,
    async (index) => {
      const body = { name: usernameOf(index), email: emailOf(index), password }
      const { headers } = await auth.api.signUpEmail({ body, returnHeaders: true })
      const at = active.get(index)
      if (at === undefined) return
      const cookies = headers.getSetCookie().map((line) => line.split(';', 1)[0] as string)
      const expect = { username: usernameOf(index), email: emailOf(index), via: 'session' }
      me[at] = { method: 'GET', path: '/me', headers: { cookie: cookies.join('; ') }, expect }
    },
    20,
  )
  return { app, cases: { me } }
})
