import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { sql } from 'kysely'
import type { CrudAuthOptions } from '../../src/index.js'
import { hashedPassword } from './argon2.js'
import { createUsers, type Database, openDatabase } from './databases.js'
import { emailOf, meCase, password, secret, usernameOf } from './me.js'
import {
  bearerTransport,
  crudAuth,
  kyselyState,
  kyselyUsers,
  memoryPasskeys,
  memoryUsers,
  sessionTransport,
  stateTables,
} from './package.js'
import { activeOf, type Case, type Cases, inBatches, type Settings } from './settings.js'

// biome-ignore lint/suspicious/noExplicitAny: rows are only passed on
type Row = any
type Seed = (app: FastifyInstance, request: FastifyRequest) => Promise<void>

/** Starts the plugin, and calls `seed` with a request, which its public functions need. */
async function open(options: CrudAuthOptions, seed: Seed): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({ trustProxy: true })
  await app.register(crudAuth, options)
  app.get('/seed', async (request) => {
    await seed(app, request)
    return { ok: true }
  })
  const seeded = await app.inject('/seed')
  if (seeded.statusCode !== 200) throw new Error(`Seeding failed: ${seeded.body}`)
  return app
}

/** Users of the table in the database of the settings, which may also have the state. */
async function openUsers(settings: Settings, stateInDatabase = false) {
  const db = openDatabase(settings)
  await createUsers(db, settings, hashedPassword)
  const common = { secret, users: kyselyUsers(db), redis: settings.redisUrl }
  if (!stateInDatabase) return { db, options: common }
  for (const statement of stateTables('postgres')) await sql.raw(statement).execute(db)
  return { db, options: { ...common, redis: undefined, state: kyselyState(db) } }
}

/** Calls `signIn` with the row and index of each user. */
async function eachUser(
  db: Database,
  count: number,
  signIn: (row: Row, index: number) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < count; start += 1000) {
    const rows = await db
      .selectFrom('users')
      .selectAll()
      .where('id', '>', start)
      .where('id', '<=', Math.min(count, start + 1000))
      .orderBy('id')
      .execute()
    await inBatches(rows.length, (at) => signIn(rows[at], start + at))
  }
}

/** Session of a user, as the request that uses it. */
async function sessionCase(
  app: FastifyInstance,
  request: FastifyRequest,
  user: Row,
  index: number,
): Promise<Case> {
  const session = await app.crudAuth.sessions.create(request, user)
  return meCase(index, { cookie: `__Host-crudauth_session=${session.secretCookie}` })
}

/** A different IP address for each sign-in, like many real users. The lockout would refuse one. */
const addressOf = (index: number) =>
  `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`

const loginCase = (index: number): Case => ({
  method: 'POST',
  path: '/login',
  headers: { 'content-type': 'application/json', 'x-forwarded-for': addressOf(index) },
  body: JSON.stringify({ username: emailOf(index), password }),
  expect: { username: usernameOf(index) },
})

/** The plugin with sessions and its defaults. Sessions are created through its public functions. */
export async function startSessions(
  settings: Settings,
  { stateInDatabase = false, withPasskeys = false } = {},
) {
  const active = activeOf(settings)
  const me: Case[] = []
  const { db, options } = await openUsers(settings, stateInDatabase)
  const transports = [sessionTransport()]
  const passkeys = {
    rpName: 'Example',
    rpId: 'example.com',
    origins: ['https://example.com'],
    store: memoryPasskeys(),
  }
  const all = { ...options, transports, ...(withPasskeys && { passkeys }) }
  const app = await open(all, (app, request) =>
    eachUser(db, settings.users, async (row, index) => {
      const made = await sessionCase(app, request, row, index)
      const at = active.get(index)
      if (at !== undefined) me[at] = made
    }),
  )
  const login = Array.from({ length: settings.signIns }, (_, at) => loginCase(settings.users + at))
  return { app, cases: { me, login } satisfies Cases }
}

/** The plugin with access tokens, and refresh tokens in the body. */
export async function startTokens(settings: Settings) {
  const active = activeOf(settings)
  const me: Case[] = []
  const refresh: Case[] = []
  const { db, options } = await openUsers(settings)
  const transports = [bearerTransport({ refresh: 'body' })]
  const app = await open({ ...options, transports }, (app, request) =>
    eachUser(db, settings.users, async (row, index) => {
      const at = active.get(index)
      if (at === undefined) return
      const tokens = await app.crudAuth.issueTokens(row, { request })
      me[at] = meCase(index, { authorization: `Bearer ${tokens.accessToken}` }, 'bearer')
      refresh[at] = {
        method: 'POST',
        path: '/refresh',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ refresh_token: tokens.refreshToken }),
        expect: { token_type: 'bearer' },
      }
    }),
  )
  return { app, cases: { me, refresh } satisfies Cases }
}

/** The plugin with users and sessions in the memory of its process. */
export async function startInMemory(settings: Settings) {
  const users = memoryUsers()
  const me: Case[] = []
  const app = await open({ secret, users }, (app, request) =>
    inBatches(settings.users, async (index) => {
      const values = { email: emailOf(index), username: usernameOf(index), hashedPassword }
      me[index] = await sessionCase(app, request, await users.create(values), index)
    }),
  )
  return { app, cases: { me } satisfies Cases }
}
