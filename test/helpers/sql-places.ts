import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Kysely, type LogEvent, MysqlDialect, PostgresDialect, SqliteDialect } from 'kysely'
import Database from 'libsql'
import { createPool } from 'mysql2'
import pg from 'pg'
import { serverOf } from './databases.js'
import type { Dialect } from './tables.js'

/** A database for SQL state: SQLite always, PostgreSQL and MariaDB if their servers run. */
export interface SqlPlace {
  readonly name: string
  readonly dialect: Dialect
  readonly skip: string | false
  /**
   * Opens connections to one database. Each call is like another process. They close after the
   * test.
   */
  opener(t: TestContext): (options?: OpenOptions) => Kysely<unknown>
}

interface OpenOptions {
  readonly log?: (event: LogEvent) => void
  /** Another address of the server, such as that of a proxy. */
  readonly url?: string
}

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

const closing = (t: TestContext, db: Kysely<unknown>) => {
  t.after(() => db.destroy())
  return db
}

export const sqlPlaces: readonly SqlPlace[] = [
  {
    name: 'SQLite',
    dialect: 'sqlite',
    skip: false,
    opener(t) {
      const folder = mkdtempSync(join(tmpdir(), 'crudauth-state-'))
      t.after(() => rmSync(folder, { recursive: true, force: true }))
      return ({ log } = {}) => {
        const database = new Database(join(folder, 'state.db'))
        database.exec('pragma journal_mode = wal')
        database.exec('pragma synchronous = off')
        const dialect = new SqliteDialect({ database: database as never })
        return closing(t, new Kysely({ dialect, ...(log && { log }) }))
      }
    },
  },
  {
    name: 'PostgreSQL',
    dialect: 'postgres',
    skip: postgres.skip,
    opener:
      (t) =>
      ({ log, url = postgres.url } = {}) => {
        const pool = new pg.Pool({ connectionString: url, max: 5 })
        // Without it, a connection that breaks while it is idle would end the process.
        pool.on('error', () => {})
        return closing(
          t,
          new Kysely({ dialect: new PostgresDialect({ pool }), ...(log && { log }) }),
        )
      },
  },
  {
    name: 'MariaDB',
    dialect: 'mysql',
    skip: mariadb.skip,
    opener:
      (t) =>
      ({ log, url = mariadb.url } = {}) =>
        closing(
          t,
          new Kysely({
            dialect: new MysqlDialect({ pool: createPool({ uri: url, connectionLimit: 5 }) }),
            ...(log && { log }),
          }),
        ),
  },
]
