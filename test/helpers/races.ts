import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Kysely } from 'kysely'
import { type CrudAuthOptions, memoryUsers, type UserStore } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { type Backend, backends } from './backends.js'
import { openMariadb, openPostgres, serverOf } from './databases.js'
import { serverBackends } from './sql-backends.js'
import { createUsersTable, type Dialect, openSqlite } from './tables.js'

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
async function table(t: TestContext, db: Kysely<any>, dialect: Dialect): Promise<UserStore> {
  const made = await createUsersTable(db, dialect)
  t.after(async () => {
    await made.drop()
    await db.destroy()
  })
  return kyselyUsers(db, made.options)
}

function sqlite(t: TestContext): Promise<UserStore> {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-races-'))
  const users = table(t, openSqlite(join(folder, 'users.db')), 'sqlite')
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return users
}

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

/** All user stores whose server is available. */
const stores: { name: string; open: (t: TestContext) => Promise<UserStore> }[] = [
  { name: 'memory users', open: async () => memoryUsers() },
  { name: 'SQLite', open: sqlite },
  ...(postgres.skip
    ? []
    : [
        {
          name: 'PostgreSQL',
          open: (t: TestContext) => table(t, openPostgres(postgres.url), 'postgres'),
        },
      ]),
  ...(mariadb.skip
    ? []
    : [{ name: 'MariaDB', open: (t: TestContext) => table(t, openMariadb(mariadb.url), 'mysql') }]),
]

export interface Place {
  readonly name: string
  /** Options for an app. Each call has its own users and its own state. */
  options(
    t: TestContext,
  ): Promise<Pick<CrudAuthOptions, 'redis' | 'state' | 'keyPrefix' | 'timeouts' | 'users'>>
}

const place = (backend: Backend, store: (typeof stores)[number]): Place => ({
  name: `${backend.name}, ${store.name}`,
  options: async (t) => ({ ...backend.options(), users: await store.open(t) }),
})

/**
 * Combinations of backends and user stores. The last backend (Redis, if available) has all stores.
 * The others have only the first two, which need no server. State on a database server has the
 * users beside it.
 */
export const places: readonly Place[] = [
  ...backends.flatMap((backend, index) =>
    stores
      .slice(0, index === backends.length - 1 ? stores.length : 2)
      .map((store) => place(backend, store)),
  ),
  ...serverBackends.flatMap((backend) =>
    stores
      .filter(({ name }) => name.toLowerCase() === backend.name)
      .map((store) => place(backend, store)),
  ),
]
