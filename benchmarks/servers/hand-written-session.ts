import { createHash, randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { handWrittenUsers, meOf } from '../lib/hand-written.js'
import { type Me, meCase, meSchema, unauthorized } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import { activeOf, type Case, inBatches } from '../lib/settings.js'

interface Session {
  readonly userId: number
  readonly expiresAtMs: number
}

/**
 * The minimum cost of a session with its user: the cookie's digest, one GET in Redis, and one row
 * by its primary key. It has no idle expiry, no CSRF protection, no handling of password changes or
 * outages, and nothing else that the plugin does.
 */
await serve(async (settings) => {
  const redis = new Redis(settings.redisUrl ?? '')
  const findUser = await handWrittenUsers(settings)
  const keyOf = (secret: string) =>
    `hand:${createHash('sha256').update(secret).digest('base64url')}`

  const app = Fastify()
  app.get('/me', { schema: { response: { 200: meSchema } } }, async (request): Promise<Me> => {
    const secret = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    const text = secret === undefined ? null : await redis.get(keyOf(secret))
    const session = text === null ? null : (JSON.parse(text) as Session)
    const user =
      session !== null && session.expiresAtMs > Date.now()
        ? await findUser(session.userId)
        : undefined
    if (!user?.is_active) throw unauthorized()
    return meOf(user, 'session')
  })

  const active = activeOf(settings)
  const me: Case[] = []
  await inBatches(settings.users, async (index) => {
    const secret = randomBytes(49).toString('base64url')
    const session = {
      userId: index + 1,
      expiresAtMs: Date.now() + 86_400_000,
      csrf: randomBytes(32).toString('base64url'),
    }
    await redis.set(keyOf(secret), JSON.stringify(session), 'EX', 86_400)
    const at = active.get(index)
    if (at !== undefined) me[at] = meCase(index, { cookie: `session=${secret}` })
  })
  return { app, cases: { me } }
})
