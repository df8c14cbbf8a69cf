import Fastify, { type FastifyInstance } from 'fastify'
import { type Kysely, Kysely as KyselyInstance, type SqliteDatabase, SqliteDialect } from 'kysely'
import type { CrudAuthOptions, UserStore } from '../../src/index.js'
import { emailOf, password, secret, usernameOf } from './me.js'
import { cachedStatements, crudAuth, kyselyUsers, sessionTransport } from './package.js'
import { activeOf, type Case, type Cases, inBatches, type Settings } from './settings.js'
import { openSqlite, usersTable } from './sqlite.js'

// biome-ignore lint/suspicious/noExplicitAny: rows are only passed on
type AnyStore = UserStore<any>

/** An address of its own for each sign-in, as the many people behind a flood have: else the lockout refuses it. */
const addressOf = (index: number) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`

const loginCase = (index: number): Case => ({
  method: 'POST',
  path: '/login',
  headers: { 'content-type': 'application/json', 'x-forwarded-for': addressOf(index) },
  body: JSON.stringify({ username: emailOf(index), password }),
  expect: { username: usernameOf(index) },
})

const meCase = (name: string, cookie: string, index: number, via: string): Case => ({
  method: 'GET',
  path: '/me',
  headers: { cookie: `${name}=${cookie}` },
  expect: { username: usernameOf(index), email: emailOf(index), is_superuser: false, scopes: [], via },
})

export interface OursOptions {
  readonly users: AnyStore
  readonly redis?: string
  /** Runs `make` for all users with a store to write to, such as one within a transaction. */
  readonly bulk?: (make: (users: AnyStore) => Promise<void>) => Promise<void>
}

/** The plugin with its defaults, users and sessions made by its public interface. */
export async function startOurs(settings: Settings, { users, redis, bulk = (make) => make(users) }: OursOptions) {
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
    // One hash for all: what is measured takes no notice of it, and a million would take hours.
    const hashedPassword = await app.auth.passwords.hash(password)
    await bulk(async (store) => {
      await inBatches(settings.users, async (index) => {
        const user = await store.create({ email: emailOf(index), username: usernameOf(index), hashedPassword })
        const session = await app.auth.sessions.create(request, user)
        const at = active.get(index)
        if (at !== undefined) me[at] = meCase('__Host-crudauth_session', session.secretCookie, index, 'session')
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

/** Users in SQLite through Kysely, with statements kept, as the documentation shows. */
export function sqliteUsers(folder: string) {
  const database = openSqlite(folder)
  database.exec(usersTable)
  // biome-ignore lint/suspicious/noExplicitAny: the table is made just above
  const db: Kysely<any> = new KyselyInstance({
    dialect: new SqliteDialect({ database: cachedStatements(database as unknown as SqliteDatabase) }),
  })
  return {
    users: kyselyUsers(db) as AnyStore,
    bulk: (make: (users: AnyStore) => Promise<void>) => db.transaction().execute((trx) => make(kyselyUsers(trx) as AnyStore)),
  }
}
