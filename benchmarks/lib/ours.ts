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

/** An address of its own for each sign-in, as the many people behind a flood have: else the lockout refuses it. */
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
  /** Runs `make` for all users with a store to write to, such as one within a transaction. */
  readonly bulk?: (make: (users: AnyStore) => Promise<void>) => Promise<void>
}

/** The plugin with its defaults, users and sessions made by its public interface. */
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
    // One hash for all: what is measured takes no notice of it, and a million would take hours.
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

/** The plugin with access tokens instead of sessions, each of a sign-in at `POST /token`. */
export async function startOursBearer(
  settings: Settings,
  { users, bulk = (make) => make(users) }: Omit<OursOptions, 'redis'>,
) {
  const app: FastifyInstance = Fastify({ trustProxy: true })
  // Passwords of the least cost: each token takes a verification, and no request that is measured does.
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
  // Few at a time: more than these wait for the hashing threads, and too many are refused.
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

/** Users in SQLite through Kysely, with statements kept, as the documentation shows. */
export function sqliteUsers(folder: string) {
  const database = openSqlite(folder)
  database.exec(usersTable)
  // biome-ignore lint/suspicious/noExplicitAny: the table is made just above
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
