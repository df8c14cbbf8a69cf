import { createHash, randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { emailOf, type Me, meSchema, unauthorized, usernameOf } from '../lib/me.js'
import { serve } from '../lib/serve.js'
import { activeOf, type Case, inBatches } from '../lib/settings.js'
import { openSqlite, usersTable } from '../lib/sqlite.js'

interface Session {
  readonly userId: number
  readonly expiresAtMs: number
}

interface UserRow {
  readonly id: number
  readonly email: string
  readonly username: string
  readonly is_active: number
  readonly is_superuser: number
}

/**
 * The least that a session with its user can cost: the cookie's digest, one GET, one row by its primary key, and no
 * regard for expiry of the idle kind, for a changed password, for CSRF, for faults or for anything else that ours does.
 */
await serve(async (settings) => {
  const redis = new Redis(settings.redisUrl, { enableAutoPipelining: true })
  const database = openSqlite(settings.folder)
  database.exec(usersTable)
  const insert = database.prepare(
    "insert into users (id, email, username, created_at, updated_at) values (?, ?, ?, '2026-01-01', '2026-01-01')",
  )
  const select = database.prepare('select * from users where id = ? limit 1')
  const keyOf = (secret: string) => `hand:${createHash('sha256').update(secret).digest('base64url')}`

  const app = Fastify()
  app.get('/me', { schema: { response: { 200: meSchema } } }, async (request): Promise<Me> => {
    const secret = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    const text = secret === undefined ? null : await redis.get(keyOf(secret))
    const session = text === null ? null : (JSON.parse(text) as Session)
    const user =
      session !== null && session.expiresAtMs > Date.now() ? (select.get(session.userId) as UserRow | undefined) : undefined
    if (!user?.is_active) throw unauthorized()
    return {
      user_id: user.id,
      username: user.username,
      email: user.email,
      is_superuser: user.is_superuser === 1,
      scopes: [],
      via: 'session',
    }
  })

  const active = new Map(activeOf(settings).map((index, at) => [index, at]))
  const me: Case[] = []
  database.exec('begin')
  await inBatches(settings.users, async (index) => {
    const secret = randomBytes(49).toString('base64url')
    insert.run([index + 1, emailOf(index), usernameOf(index)])
    const session = { userId: index + 1, expiresAtMs: Date.now() + 86_400_000, csrf: randomBytes(32).toString('base64url') }
    await redis.set(keyOf(secret), JSON.stringify(session), 'EX', 86_400)
    const at = active.get(index)
    if (at === undefined) return
    const expect = { username: usernameOf(index), email: emailOf(index), is_superuser: false, scopes: [], via: 'session' }
    me[at] = { method: 'GET', path: '/me', headers: { cookie: `session=${secret}` }, expect }
  })
  database.exec('commit')
  return { app, cases: { me } }
})
