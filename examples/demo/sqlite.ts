import { join, relative } from 'node:path'
import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely'
import SqliteFile from 'libsql'
// Your app imports this from 'fastify-crudauth/users/kysely'.
import { cachedStatements } from '../../src/user-stores/kysely/index.js'
import type { DemoDatabase } from './database.js'
import { accountsTable, type DemoSchema, newColumns, otherTables } from './tables.js'

/** Creates the tables, and the columns that the table of an older demo lacks. */
function createTables(file: SqliteFile.Database): void {
  // If several processes start at once, one of them does it and the others wait.
  file.exec('begin immediate')
  try {
    file.exec(accountsTable('sqlite'))
    const columns = file.prepare('pragma table_info(accounts)').all() as { name: string }[]
    const known = new Set(columns.map(({ name }) => name))
    for (const [name, type] of Object.entries(newColumns('sqlite'))) {
      if (!known.has(name)) file.exec(`alter table accounts add column ${name} ${type}`)
    }
    for (const statement of otherTables('sqlite')) file.exec(statement)
    file.exec('commit')
  } catch (error) {
    file.exec('rollback')
    throw error
  }
}

/** Opens the SQLite file of a folder, and creates it at the first start. */
export function openSqlite(folder: string): DemoDatabase {
  const path = join(folder, 'demo.db')
  const file = new SqliteFile(path)
  file.exec('pragma busy_timeout = 5000')
  // Readers and the writer don't block each other.
  file.exec('pragma journal_mode = wal')
  file.exec('pragma synchronous = normal')
  createTables(file)
  // Deletes passkeys with their account.
  file.exec('pragma foreign_keys = on')
  // A second writer waits instead of failing, but not as long as `timeouts.stateMs`.
  file.exec('pragma busy_timeout = 500')
  const db = new Kysely<DemoSchema>({
    dialect: new SqliteDialect({ database: cachedStatements(file as unknown as SqliteDatabase) }),
  })
  const fromHere = relative(process.cwd(), path)
  return {
    db,
    description: `${fromHere.startsWith('..') ? path : fromHere} (SQLite)`,
    close: () => db.destroy(),
  }
}
