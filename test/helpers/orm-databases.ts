import { Kysely, MysqlDialect, PostgresDialect, type SqliteDatabase, SqliteDialect } from 'kysely'
import Database from 'libsql'
import { createPool as createMysqlPool } from 'mysql2'
import pg from 'pg'
import { serverOf } from './databases.js'
import type { Dialect } from './tables.js'

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

/** The databases that the stores of query builders are tested on. */
export const ormDatabases: readonly {
  readonly name: string
  readonly dialect: Dialect
  readonly skip: string | false
}[] = [
  { name: 'sqlite', dialect: 'sqlite', skip: false },
  { name: 'postgres', dialect: 'postgres', skip: postgres.skip },
  { name: 'mariadb', dialect: 'mysql', skip: mariadb.skip },
]

/**
 * A connection, and Kysely on it to create tables. `db.destroy()` closes both.
 * @param address file of a SQLite database, or URL of another server
 */
export function openConnection(
  dialect: Dialect,
  address?: string,
): {
  // biome-ignore lint/suspicious/noExplicitAny: what the driver calls it
  client: any
  // biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
  db: Kysely<any>
} {
  if (dialect === 'sqlite') {
    const client = new Database(address ?? ':memory:')
    const database = client as unknown as SqliteDatabase
    return { client, db: new Kysely({ dialect: new SqliteDialect({ database }) }) }
  }
  if (dialect === 'postgres') {
    const client = new pg.Pool({ connectionString: address ?? postgres.url, max: 10 })
    // As the documentation says: without listeners, a lost connection ends the process.
    client.on('error', () => {})
    client.on('connect', (connection) => connection.on('error', () => {}))
    return { client, db: new Kysely({ dialect: new PostgresDialect({ pool: client }) }) }
  }
  const client = createMysqlPool({ uri: address ?? mariadb.url, connectionLimit: 10 })
  return {
    client: client.promise(),
    db: new Kysely({ dialect: new MysqlDialect({ pool: client }) }),
  }
}
