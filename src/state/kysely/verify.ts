import { sql } from 'kysely'
import { isMissingTable, missingTables, unavailable } from './failures.js'
import type { AnyKysely, Link } from './link.js'

const columns = {
  store: ['key', 'value', 'owner', 'version', 'expires_at'],
  counters: ['key', 'count', 'state', 'expires_at'],
} as const

/**
 * Looks for the tables and their columns.
 * @throws ConfigError that names the missing tables
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
}
