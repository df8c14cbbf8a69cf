import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely'
import Database from 'libsql'
import { cachedStatements } from '../../src/user-stores/kysely/index.js'

/** Kysely over libsql with kept statements, as an app would open it. `db.destroy()` closes it. */
// biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
export function openSqlite(path = ':memory:'): Kysely<any> {
  const database = new Database(path)
  if (path !== ':memory:') {
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = normal')
    database.exec('pragma busy_timeout = 2000')
  }
  return new Kysely({
    dialect: new SqliteDialect({
      database: cachedStatements(database as unknown as SqliteDatabase),
    }),
  })
}
