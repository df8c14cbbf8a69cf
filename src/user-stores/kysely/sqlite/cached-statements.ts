import type { SqliteDatabase, SqliteStatement } from 'kysely'
import { LRUCache } from 'lru-cache'

/**
 * A SQLite database (libsql, better-sqlite3) that reuses prepared statements. Kysely's
 * `SqliteDialect` prepares a statement for each execution, which costs more than the execution.
 *
 * Execution is synchronous, so a cached statement is never in use twice. Iteration isn't, so it
 * prepares its own statement. After a schema change, SQLite prepares cached statements again by
 * itself.
 * @param max maximum number of statements; the least recently used ones are evicted; default 500
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
