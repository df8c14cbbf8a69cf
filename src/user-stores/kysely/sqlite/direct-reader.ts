import type { SqliteDatabase } from 'kysely'

/** Reads of a SQLite database that go past Kysely, whose connection, lock and promises cost more than the row. */
export interface DirectReader {
  /** False where Kysely's lock is what keeps a read out of a transaction, or out of the older state that an iteration sees. */
  isFree(): boolean
  /**
   * The first row's values in the order of its columns, or undefined where there is none. The text must name its columns:
   * of `*` nobody would know which they are after a change of the schema.
   */
  first(text: string, parameters: readonly unknown[]): readonly unknown[] | undefined
}

type Raw = { get(parameters: readonly unknown[]): readonly unknown[] | undefined }
type Driver = SqliteDatabase & { readonly open?: unknown; readonly inTransaction?: unknown }

const maxTexts = 50

/**
 * Null for a driver that does not tell whether it is open and whether a transaction is under way.
 * @param isIterating whether an iteration over a statement of the database is under way
 */
export function createDirectReader(database: Driver, isIterating: () => boolean): DirectReader | null {
  if (database.open !== true || typeof database.inTransaction !== 'boolean') return null
  // Statements of their own: libsql binds nothing to one that has been run by another of its methods, or that has failed,
  // and runs it with the parameters of the time before.
  const kept = new Map<string, Raw>()

  const prepare = (text: string): Raw => {
    const statement = database.prepare(text) as unknown as { raw(on: boolean): Raw }
    const raw = statement.raw(true)
    if (kept.size >= maxTexts) kept.clear()
    kept.set(text, raw)
    return raw
  }

  return {
    // Open, first of all: asked of a closed database whether it is in a transaction, libsql ends the process.
    isFree: () => database.open === true && !isIterating() && database.inTransaction === false,
    first(text, parameters) {
      try {
        return (kept.get(text) ?? prepare(text)).get(parameters)
      } catch (error) {
        kept.delete(text)
        throw error
      }
    },
  }
}
