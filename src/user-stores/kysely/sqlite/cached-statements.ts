import type { SqliteDatabase, SqliteStatement } from 'kysely'
import { LRUCache } from 'lru-cache'

/** libsql; other drivers end a statement that fails. */
type Libsql = SqliteDatabase & { exec(sql: string): void; sync: unknown }

/**
 * libsql leaves a statement active that found the database locked. Until it ends, SQLite commits
 * nothing that follows, though it seems to succeed, and keeps other processes from writing.
 */
const isLeftActive = (database: SqliteDatabase, error: unknown): database is Libsql =>
  'sync' in database && /^SQLITE_(?:BUSY|LOCKED)/.test(String((error as { code?: unknown }).code))

/** Only a further run ends the statement. Here it may not write, so it fails before it does. */
function endWithoutEffect(database: Libsql, run: () => unknown): void {
  database.exec('pragma query_only = on')
  try {
    run()
  } catch {
    // SQLITE_READONLY
  } finally {
    database.exec('pragma query_only = off')
  }
}

/**
 * A SQLite database (libsql, better-sqlite3) that reuses prepared statements. Kysely's
 * `SqliteDialect` prepares a statement for each execution, which costs more than the execution.
 *
 * Execution is synchronous, so a cached statement is never in use twice. Iteration isn't, so it
 * prepares its own statement. After a schema change, SQLite prepares cached statements again by
 * itself.
 *
 * With libsql it is necessary: it also ends the statements that found the database locked.
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
    const ending =
      <T>(execute: (parameters: readonly unknown[]) => T) =>
      (parameters: readonly unknown[]): T => {
        try {
          return execute(parameters)
        } catch (error) {
          const isWrite = !/^\s*(?:begin|commit|rollback|savepoint|release|pragma)\b/i.test(sql)
          if (isWrite && isLeftActive(database, error))
            endWithoutEffect(database, () => execute(parameters))
          throw error
        }
      }
    return {
      reader: statement.reader,
      all: ending((parameters) => statement.all(parameters)),
      run: ending((parameters) => statement.run(parameters)),
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
