import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Dialect } from '../sql/dialect.js'

/** How a column is compared with what is expected of it. */
export interface Condition {
  column: string
  isText: boolean
  /** Only whether it is null is compared; it has no parameter. */
  isNull?: boolean
}

// One place of a parameter; the value comes with each execution.
const PLACE = 0
const MAX_SHAPES = 500

/**
 * The statements on one users table. Each is compiled once per set of columns, with its parameters in the order in which
 * the columns were given; executing costs neither building nor compiling.
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
    // The app's columns are few; should their names ever come from outside, the memory they take stays bounded.
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
    // By bytes: to most collations a hash is the same in capitals, or with spaces at its end.
    if (isText) {
      return sql<boolean>`cast(convert(${sql.ref(column)} using utf8mb4) as binary) <=> cast(convert(${PLACE} using utf8mb4) as binary)`
    }
    return sql<boolean>`${sql.ref(column)} <=> ${PLACE}`
  }

  /**
   * MySQL reports the rows it changed or those it matched, as the connection's flags have it. LAST_INSERT_ID(1) is
   * evaluated for each row that matched, changed or not, and comes back as the statement's insert id.
   */
  const assignments = (columns: readonly string[]) =>
    Object.fromEntries(
      columns.map((column, at) => [
        column,
        dialect === 'mysql' && at === 0 ? sql`if(last_insert_id(1), ${PLACE}, null)` : PLACE,
      ]),
    )

  return {
    /** Parameters: the value. One row at most. */
    selectBy: (column: string) =>
      once(`selectBy ${column}`, () =>
        db
          .selectFrom(table)
          .selectAll()
          .where(sql.ref(column), '=', PLACE)
          .limit(sql.lit(1))
          .compile(),
      ),
    /** Parameters: the id, then what is expected. */
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
    /** Parameters: the values, the id, then what is expected. */
    update: (columns: readonly string[], expected: readonly Condition[]) =>
      once(['update', columns, expected], () => {
        let query = db.updateTable(table).set(assignments(columns)).where(idColumn, '=', PLACE)
        for (const condition of expected) query = query.where(isExpected(condition))
        return query.compile()
      }),
  }
}
