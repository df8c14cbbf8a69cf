import type { QueryResult, SqliteDatabase, SqliteStatement } from 'kysely'
import { LRUCache } from 'lru-cache'
import { createDirectReader, type DirectReader } from './direct-reader.js'

/** Answered by `cachedStatements` with its reader, so that it is found below a Kysely; no row to anybody else. */
const readerQuery = 'select null where 0 /* fastify-crudauth */'
const kReader = Symbol('crudauth.reader')

/** The reader of the `cachedStatements` that a connection runs its statements on, or null. */
export async function findDirectReader(run: (text: string) => Promise<QueryResult<object>>): Promise<DirectReader | null> {
  const { rows } = await run(readerQuery)
  return (rows[0] as { [kReader]?: DirectReader } | undefined)?.[kReader] ?? null
}

/**
 * A SQLite database (libsql, better-sqlite3) whose `prepare` hands out one prepared statement per SQL text. Kysely's
 * `SqliteDialect` prepares for each execution, which costs more than the execution itself:
 * `new SqliteDialect({ database: cachedStatements(new Database('app.db')) })`. Over it `kyselyUsers` reads a user's row
 * without Kysely, between transactions and where Kysely logs nothing and has no plugins.
 *
 * Execution is synchronous, so nobody meets a statement in use, iteration aside, which is given a statement of its own.
 * A change of the schema is noticed by SQLite, which prepares such statements again by itself.
 * @param max how many statements are kept, the longest unused going first; default 500
 */
export function cachedStatements(database: SqliteDatabase, { max = 500 }: { max?: number } = {}): SqliteDatabase {
  const kept = new LRUCache<string, SqliteStatement>({ max })
  let iterations = 0

  function* iterate(sql: string, parameters: readonly unknown[]): IterableIterator<unknown> {
    iterations++
    try {
      yield* database.prepare(sql).iterate(parameters)
    } finally {
      iterations--
    }
  }
  const prepare = (sql: string): SqliteStatement => {
    const statement = database.prepare(sql)
    return {
      reader: statement.reader,
      all: (parameters) => statement.all(parameters),
      run: (parameters) => statement.run(parameters),
      iterate: (parameters) => iterate(sql, parameters),
    }
  }

  const reader = createDirectReader(database, () => iterations > 0)
  const readerStatement: SqliteStatement = {
    reader: true,
    all: () => [{ [kReader]: reader }],
    run: () => ({ changes: 0, lastInsertRowid: 0 }),
    iterate: () => [][Symbol.iterator](),
  }

  return {
    prepare(sql) {
      if (sql === readerQuery) return readerStatement
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
