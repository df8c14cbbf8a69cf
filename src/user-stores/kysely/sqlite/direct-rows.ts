import { CompiledQuery, type Kysely, type QueryExecutor, sql } from 'kysely'
import { findDirectReader } from './cached-statements.js'
import type { DirectReader } from './direct-reader.js'

type Row = Record<string, unknown>

/** Rows by one column, read without Kysely where nothing of what it does would be missed. */
interface DirectRows {
  /** The first such row, null where there is none, or undefined where Kysely has to be asked. */
  find(column: string, value: unknown): Row | null | undefined
  /** Tells what a row that Kysely has read looks like. */
  learn(row: Row): void
}

/** How long the columns of a row are taken for those of the table: one that is added while the app runs is soon seen. */
const columnsMs = 1000

const isObject = (value: unknown) => typeof value === 'object' && value !== null

/**
 * Null where Kysely does more than to pass statements on: plugins, a transaction. Elsewhere it is left out
 * only over `cachedStatements`, and where Kysely logs no statements.
 */
// biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
export function directRows(db: Kysely<any>, executor: QueryExecutor, table: string): DirectRows | null {
  if (db.isTransaction || executor.plugins.length > 0) return null
  let reader: DirectReader | null | undefined
  let columns: readonly string[] | undefined
  const texts = new Map<string, string>()
  let learnAtMs = 0

  const look = () =>
    executor.provideConnection(async (connection) => {
      // A connection of another class may do more than Kysely's, and so does one whose method has been replaced: Kysely's log.
      if (connection.constructor.name !== 'SqliteConnection' || Object.hasOwn(connection, 'executeQuery')) return null
      return findDirectReader((query) => connection.executeQuery<object>(CompiledQuery.raw(query)))
    })

  const textFor = (column: string, names: readonly string[]): string => {
    const known = texts.get(column)
    if (known !== undefined) return known
    // With the table's name, since SQLite takes a quoted name alone that is no column's for a text.
    const reference = (name: string) => sql.id(...table.split('.'), name)
    const { sql: text } = db
      .selectFrom(table)
      .select(names.map((name) => reference(name).as(name)))
      .where(reference(column), '=', 0)
      .limit(sql.lit(1))
      .compile()
    texts.set(column, text)
    return text
  }

  const forget = () => {
    columns = undefined
    learnAtMs = Date.now() + columnsMs
  }
  const giveUp = () => {
    reader = null
    columns = undefined
  }

  return {
    find(column, value) {
      if (!reader || !columns || Date.now() >= learnAtMs || !reader.isFree()) return undefined
      let values: readonly unknown[] | undefined
      try {
        values = reader.first(textFor(column, columns), [value])
      } catch {
        // A column that is there no longer, a lock: Kysely's way tells.
        forget()
        return undefined
      }
      if (values === undefined) return null
      if (values.length !== columns.length) {
        giveUp()
        return undefined
      }
      const row: Row = {}
      for (let i = 0; i < columns.length; i++) {
        const cell = values[i]
        // Bytes, which libsql reads as something else here than it does for Kysely.
        if (isObject(cell)) {
          giveUp()
          return undefined
        }
        row[columns[i] as string] = cell
      }
      return row
    },

    learn(row) {
      if (reader === null || Date.now() < learnAtMs) return
      if (reader === undefined) {
        reader = null
        look().then(
          (found) => {
            reader = found
          },
          () => {
            reader = undefined
          },
        )
        return
      }
      const names = Object.keys(row)
      learnAtMs = Date.now() + columnsMs
      if (columns && names.length === columns.length && names.every((name, i) => name === columns?.[i])) return
      columns = names
      texts.clear()
    },
  }
}
