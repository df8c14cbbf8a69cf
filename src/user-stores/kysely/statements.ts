import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Dialect } from '../../sql/dialect.js'

/** How to compare a column with its expected value. */
export interface Condition {
  column: string
  isText: boolean
  /** If set, only compares with null, without a parameter. */
  isNull?: boolean
}

// Placeholder of a parameter. The value is set for each execution.
const PLACE = 0
const MAX_SHAPES = 500

/**
 * The statements for a user table. Each is compiled once per set of columns, with parameters in the
 * order of the columns, and then reused.
 */
// biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
export function statements(db: Kysely<any>, dialect: Dialect, table: string, idColumn: string) {
  const compiled = new Map<string, CompiledQuery>()
  const once = (
    shape: string | readonly unknown[],
    compile: () => CompiledQuery,
  ): CompiledQuery => {
    const key = typeof shape === 'string' ? shape : JSON.stringify(shape)
    const found = compiled.get(key)
    if (found) return found
    // An app has few columns. The limit bounds the memory if their names ever come from requests.
    if (compiled.size >= MAX_SHAPES) compiled.clear()
    const query = compile()
    compiled.set(key, query)
    return query
  }

  const isExpected = ({ column, isText, isNull }: Condition) => {
    if (isNull !== undefined)
      return isNull
        ? sql<boolean>`${sql.ref(column)} is null`
        : sql<boolean>`${sql.ref(column)} is not null`
    if (dialect === 'postgres')
      return sql<boolean>`${sql.ref(column)} is not distinct from ${PLACE}`
    if (dialect === 'sqlite') return sql<boolean>`${sql.ref(column)} is ${PLACE}`
    // Compare bytes: most collations ignore case and trailing spaces, which would match other
    // hashes.
    if (isText) {
      return sql<boolean>`cast(convert(${sql.ref(column)} using utf8mb4) as binary) <=> cast(convert(${PLACE} using utf8mb4) as binary)`
    }
    return sql<boolean>`${sql.ref(column)} <=> ${PLACE}`
  }

  /**
   * MySQL reports either the changed or the matched rows, depending on the flags of the connection.
   * LAST_INSERT_ID(1) is evaluated for each matched row and returned as the insert id, so it shows
   * a match in both cases.
   */
  const assignments = (columns: readonly string[]) =>
    Object.fromEntries(
      columns.map((column, at) => [
        column,
        dialect === 'mysql' && at === 0 ? sql`if(last_insert_id(1), ${PLACE}, null)` : PLACE,
      ]),
    )

  return {
    /** Parameters: the value. Returns at most one row. */
    selectBy: (column: string) =>
      once(`selectBy ${column}`, () =>
        db
          .selectFrom(table)
          .selectAll()
          .where(sql.ref(column), '=', PLACE)
          .limit(sql.lit(1))
          .compile(),
      ),
    /** Parameters: the id, then the expected values. */
    selectId: (expected: readonly Condition[]) =>
      once(['selectId', expected], () => {
        let query = db.selectFrom(table).select(idColumn).where(idColumn, '=', PLACE)
        for (const condition of expected) query = query.where(isExpected(condition))
        return query.limit(sql.lit(1)).compile()
      }),
    /** Parameters: the values. */
    insert: (columns: readonly string[], returning: boolean) =>
      once(['insert', columns, returning], () => {
        const query = db
          .insertInto(table)
          .values(Object.fromEntries(columns.map((column) => [column, PLACE])))
        return returning ? query.returningAll().compile() : query.compile()
      }),
    /** Parameters: the values, the id, then the expected values. */
    update: (columns: readonly string[], expected: readonly Condition[]) =>
      once(['update', columns, expected], () => {
        let query = db.updateTable(table).set(assignments(columns)).where(idColumn, '=', PLACE)
        for (const condition of expected) query = query.where(isExpected(condition))
        return query.compile()
      }),
  }
}
