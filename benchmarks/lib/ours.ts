import Fastify, { type FastifyInstance } from 'fastify'
import { type Kysely, Kysely as KyselyInstance, type SqliteDatabase, SqliteDialect } from 'kysely'
import type { CrudAuthOptions, UserStore } from '../../src/index.js'
import { emailOf, password, secret, usernameOf } from './me.js'
import {
  bearerTransport,
  cachedStatements,
  crudAuth,
  kyselyUsers,
  sessionTransport,
} from './package.js'
import { activeOf, type Case, type Cases, inBatches, type Settings } from './settings.js'
import { openSqlite, usersTable } from './sqlite.js'

// biome-ignore lint/suspicious/noExplicitAny: rows are only passed on
type AnyStore = UserStore<any>

/** A different IP address for each sign-in, like many real users. The lockout would refuse one. */
const addressOf = (index: number) =>
  `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`

const loginCase = (index: number, path = '/login'): Case => ({
  method: 'POST',
  path,
  headers: { 'content-type': 'application/json', 'x-forwarded-for': addressOf(index) },
  body: JSON.stringify({ username: emailOf(index), password }),
  expect: { username: usernameOf(index) },
})

const meCase = (headers: Case['headers'], index: number, via: string): Case => ({
  method: 'GET',
  path: '/me',
  headers,
  expect: {
    username: usernameOf(index),
    email: emailOf(index),
    is_superuser: false,
    scopes: [],
    via,
  },
})

export interface OursOptions {
  readonly users: AnyStore
  readonly redis?: string
  /** Calls `make` with the store to write all users to, such as a store in a transaction. */
  readonly bulk?: (make: (users: AnyStore) => Promise<void>) => Promise<void>
}

/** The plugin with its defaults. Users and sessions are created through its public API. */
export async function startOurs(
  settings: Settings,
  { users, redis, bulk = (make) => make(users) }: OursOptions,
) {
  const app: FastifyInstance = Fastify({ trustProxy: true })
  const options: CrudAuthOptions = {
    secret,
    users,
    transports: [sessionTransport()],
    ...(redis !== undefined && { redis }),
  }
  await app.register(crudAuth, options)

  const active = new Map(activeOf(settings).map((index, at) => [index, at]))
  const me: Case[] = []
  app.get('/seed', async (request) => {
    // All users share one hash. A million hashes would take hours and not change the result.
    const hashedPassword = await app.crudAuth.passwords.hash(password)
    await bulk(async (store) => {
      await inBatches(settings.users, async (index) => {
        const user = await store.create({
          email: emailOf(index),
          username: usernameOf(index),
          hashedPassword,
        })
        const session = await app.crudAuth.sessions.create(request, user)
        const at = active.get(index)
        const cookie = `__Host-crudauth_session=${session.secretCookie}`
        if (at !== undefined) me[at] = meCase({ cookie }, index, 'session')
      })
      await inBatches(settings.signIns, async (at) => {
        const index = settings.users + at
        await store.create({ email: emailOf(index), username: usernameOf(index), hashedPassword })
      })
    })
    return { ok: true }
  })
  const seeded = await app.inject('/seed')
  if (seeded.statusCode !== 200) throw new Error(`Seeding failed: ${seeded.body}`)
  const login = Array.from({ length: settings.signIns }, (_, at) => loginCase(settings.users + at))
  return { app, cases: { me, login } satisfies Cases }
}

/** The plugin with access tokens instead of sessions. Each token comes from `POST /token`. */
export async function startOursBearer(
  settings: Settings,
  { users, bulk = (make) => make(users) }: Omit<OursOptions, 'redis'>,
) {
  const app: FastifyInstance = Fastify({ trustProxy: true })
  // The lowest cost: creating each token verifies a password, but no measured request does.
  const passwords = { cost: { memoryKiB: 8, iterations: 1 } }
  await app.register(crudAuth, { secret, users, transports: [bearerTransport()], passwords })

  const hashedPassword = await app.crudAuth.passwords.hash(password)
  await bulk((store) =>
    inBatches(settings.users, async (index) => {
      await store.create({ email: emailOf(index), username: usernameOf(index), hashedPassword })
    }),
  )
  const active = activeOf(settings)
  const me: Case[] = []
  // Only 4 at a time: more would wait for the hashing threads, and too many would be refused.
  const signIn = async (at: number): Promise<void> => {
    const index = active[at] as number
    const { method, path: url, headers, body: payload = '' } = loginCase(index, '/token')
    const response = await app.inject({ method, url, headers, payload })
    if (response.statusCode !== 200) throw new Error(`Signing in failed: ${response.body}`)
    const { access_token: token } = response.json<{ access_token: string }>()
    me[at] = meCase({ authorization: `Bearer ${token}` }, index, 'bearer')
  }
  await inBatches(active.length, signIn, 4)
  return { app, cases: { me } satisfies Cases }
}

/** Users in SQLite through Kysely, with cached statements, as documented. */
export function sqliteUsers(folder: string) {
  const database = openSqlite(folder)
  database.exec(usersTable)
  // biome-ignore lint/suspicious/noExplicitAny: the table is created just above
  const db: Kysely<any> = new KyselyInstance({
    dialect: new SqliteDialect({
      database: cachedStatements(database as unknown as SqliteDatabase),
    }),
  })
  return {
    users: kyselyUsers(db) as AnyStore,
    bulk: (make: (users: AnyStore) => Promise<void>) =>
      db.transaction().execute((trx) => make(kyselyUsers(trx) as AnyStore)),
  }
}
