import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely'
import Database from 'libsql'
import { cachedStatements } from '../../src/user-stores/kysely/index.js'

/**
 * Opens Kysely on libsql with cached statements, like an app. `db.destroy()` closes it.
 * @param statements to run first
 */
export function openSqlite(
  path = ':memory:',
  statements: readonly string[] = [],
  // biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
): Kysely<any> {
  const database = new Database(path)
  if (path !== ':memory:') {
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = normal')
    database.exec('pragma busy_timeout = 2000')
  }
  for (const statement of statements) database.exec(statement)
  return new Kysely({
    dialect: new SqliteDialect({
      database: cachedStatements(database as unknown as SqliteDatabase),
    }),
  })
}
