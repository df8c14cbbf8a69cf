import { sql } from 'kysely'
import { ConfigError } from '../../errors.js'
import type { Dialect } from '../../sql/dialect.js'
import { isMissingTable, missingTables, unavailable } from './failures.js'
import type { AnyKysely, Link } from './link.js'

const columns = {
  store: ['key', 'value', 'owner', 'version', 'expires_at'],
  counters: ['key', 'count', 'state', 'expires_at'],
} as const

/**
 * Attempts are counted by assignments that see the values of those before them, as MySQL and MariaDB
 * do by default.
 */
async function verifyMode(db: AnyKysely, dialect: Dialect): Promise<void> {
  const { rows } = await sql<{ mode: string }>`select @@session.sql_mode as mode`
    .execute(db)
    .catch((error) => {
      throw unavailable(dialect, error)
    })
  if (rows[0]?.mode.includes('SIMULTANEOUS_ASSIGNMENT'))
    throw new ConfigError(
      '"state": the sql_mode of the connection has SIMULTANEOUS_ASSIGNMENT, with which attempts are counted wrongly; remove it',
    )
}

/**
 * Looks for the tables and their columns.
 * @throws ConfigError that names the missing tables, or a mode of the connection to change
 * @throws StateUnavailableError if the database is down
 */
export async function verifyTables(db: AnyKysely, { dialect, tables }: Link): Promise<void> {
  const missing: string[] = []
  for (const kind of ['store', 'counters'] as const) {
    const names = columns[kind].map((name) => sql.ref(name))
    await sql`select ${sql.join(names)} from ${sql.table(tables[kind])} where 1 = 0`
      .execute(db)
      .catch((error) => {
        if (!isMissingTable(error)) throw unavailable(dialect, error)
        missing.push(tables[kind])
      })
  }
  if (missing.length > 0) throw missingTables(missing)
  if (dialect === 'mysql') await verifyMode(db, dialect)
}
