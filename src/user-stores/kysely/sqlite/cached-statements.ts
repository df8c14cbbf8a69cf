import type { SqliteDatabase, SqliteStatement } from 'kysely'
import { LRUCache } from 'lru-cache'

/**
 * A SQLite database (libsql, better-sqlite3) whose `prepare` hands out one prepared statement per SQL text. Kysely's
 * `SqliteDialect` prepares for each execution, which costs more than the execution itself:
 * `new SqliteDialect({ database: cachedStatements(new Database('app.db')) })`.
 *
 * Execution is synchronous, so nobody meets a statement in use, iteration aside, which is given a statement of its own.
 * A change of the schema is noticed by SQLite, which prepares such statements again by itself.
 * @param max how many statements are kept, the longest unused going first; default 500
 * @example
 * new SqliteDialect({ database: cachedStatements(new Database('app.db')) })
 */
export function cachedStatements(
  database: SqliteDatabase,
  { max = 500 }: { max?: number } = {},
): SqliteDatabase {
  const kept = new LRUCache<string, SqliteStatement>({ max })
  const prepare = (sql: string): SqliteStatement => {
    const statement = database.prepare(sql)
    return {
      reader: statement.reader,
      all: (parameters) => statement.all(parameters),
      run: (parameters) => statement.run(parameters),
      iterate: (parameters) => database.prepare(sql).iterate(parameters),
    }
  }

  return {
    prepare(sql) {
      let statement = kept.get(sql)
      if (!statement) {
        statement = prepare(sql)
        kept.set(sql, statement)
      }
      return statement
    },
    close() {
      kept.clear()
      database.close()
    },
  }
}
