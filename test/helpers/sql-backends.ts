import { after } from 'node:test'
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool } from 'mysql2'
import pg from 'pg'
import { kyselyState, stateTables } from '../../src/state/kysely/index.js'
import type { Backend } from './backends.js'
import { serverOf } from './databases.js'
import { openSqlite } from './sqlite.js'
import { newTables } from './tables.js'

const opened: Kysely<unknown>[] = []
after(async () => {
  for (const db of opened.splice(0)) await db.destroy()
})

/** State in tables of its own. The tables are created when the first connection opens. */
function stateOn(
  dialect: 'postgres' | 'mysql',
  open: (statements: readonly string[]) => Kysely<unknown>,
): ReturnType<Backend['options']> {
  const tables = newTables()
  const db = open(stateTables(dialect, tables))
  opened.push(db)
  // Long enough that a machine busy with other tests doesn't look like an outage.
  return { state: kyselyState(db, { tables }), timeouts: { stateMs: 20_000 } }
}

const openPostgres = (url: string) => (statements: readonly string[]) =>
  new Kysely<unknown>({
    dialect: new PostgresDialect({
      async pool() {
        const pool = new pg.Pool({ connectionString: url, max: 5, idleTimeoutMillis: 1000 })
        pool.on('error', () => {})
        pool.on('connect', (client) => client.on('error', () => {}))
        for (const statement of statements) await pool.query(statement)
        return pool
      },
    }),
  })

const openMariadb = (url: string) => (statements: readonly string[]) =>
  new Kysely<unknown>({
    dialect: new MysqlDialect({
      async pool() {
        const pool = createPool({ uri: url, connectionLimit: 5, maxIdle: 0, idleTimeout: 1000 })
        for (const statement of statements) await pool.promise().query(statement)
        return pool
      },
    }),
  })

/** State in SQLite. It needs no server. */
export const sqliteBackend: Backend = {
  name: 'sqlite',
  options: () => ({ state: kyselyState(openSqlite(':memory:', stateTables('sqlite'))) }),
}

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

/** State in the database servers that are available. */
export const serverBackends: readonly Backend[] = [
  ...(postgres.skip
    ? []
    : [{ name: 'postgres', options: () => stateOn('postgres', openPostgres(postgres.url)) }]),
  ...(mariadb.skip
    ? []
    : [{ name: 'mariadb', options: () => stateOn('mysql', openMariadb(mariadb.url)) }]),
]
