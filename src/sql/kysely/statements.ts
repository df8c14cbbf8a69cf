import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Dialect } from '../dialect.js'
import type { Condition } from '../table.js'

// Placeholder of a parameter. The value is set for each execution.
const PLACE = 0
const MAX_SHAPES = 500

const isText = (condition: Condition): boolean =>
  'value' in condition && typeof condition.value === 'string'

/** What a statement depends on: everything but the values. */
const shapeOf = (where: readonly Condition[]): string =>
  where.map((condition) => `${condition.is}${isText(condition)} ${condition.column}`).join('\0')

/** The parameters of conditions, in their order. */
export const valuesOf = (where: readonly Condition[]): unknown[] =>
  where.flatMap((condition) => ('value' in condition ? [condition.value] : []))

/**
 * The statements for a table. Each is compiled once per set of columns, with parameters in the
 * order of the columns, and then reused.
 */
// biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
export function statements(db: Kysely<any>, dialect: Dialect, table: string) {
  const compiled = new Map<string, CompiledQuery>()
  const once = (key: string, compile: () => CompiledQuery): CompiledQuery => {
    const found = compiled.get(key)
    if (found) return found
    // An app has few columns. The limit bounds the memory if their names ever come from requests.
    if (compiled.size >= MAX_SHAPES) compiled.clear()
    const query = compile()
    compiled.set(key, query)
    return query
  }

  const isMet = (condition: Condition) => {
    const column = sql.ref(condition.column)
    if (condition.is === 'null') return sql<boolean>`${column} is null`
    if (condition.is === 'present') return sql<boolean>`${column} is not null`
    if (condition.is === 'equal') return sql<boolean>`${column} = ${PLACE}`
    if (dialect === 'postgres') return sql<boolean>`${column} is not distinct from ${PLACE}`
    if (dialect === 'sqlite') return sql<boolean>`${column} is ${PLACE}`
    // Compare bytes: most collations ignore case and trailing spaces, which would match other
    // hashes.
    if (isText(condition))
      return sql<boolean>`cast(convert(${column} using utf8mb4) as binary) <=> cast(convert(${PLACE} using utf8mb4) as binary)`
    return sql<boolean>`${column} <=> ${PLACE}`
  }
  const areMet = (where: readonly Condition[]) => sql.join<boolean>(where.map(isMet), sql` and `)

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

  /**
   * Whether at least two rows meet the conditions. A parallel removal that does the same is waited
   * for, and the rows that it has left are counted: SQLite writes one at a time, and the other
   * databases lock what they count.
   */
  const areSeveral = (where: readonly Condition[]) => {
    const rows = sql`from ${sql.table(table)} where ${areMet(where)}`
    if (dialect === 'postgres')
      return sql<boolean>`(select count(*) from (select 1 ${rows} for update) as kept) > 1`
    // As a derived table: MySQL doesn't read a table in a statement that deletes from it.
    if (dialect === 'mysql')
      return sql<boolean>`(select n from (select count(*) as n ${rows} for update) as kept) > 1`
    return sql<boolean>`(select count(*) ${rows}) > 1`
  }

  return {
    /** Parameters: the values. Returns at most one row. */
    selectOne: (where: readonly Condition[], columns: readonly string[] | undefined) =>
      once(`one\0${columns?.join('\0')}\0${shapeOf(where)}`, () => {
        const query = db.selectFrom(table).where(areMet(where)).limit(sql.lit(1))
        return (columns ? query.select([...columns]) : query.selectAll()).compile()
      }),
    /** Parameters: the values. */
    selectAll: (where: readonly Condition[]) =>
      once(`all\0${shapeOf(where)}`, () =>
        db.selectFrom(table).selectAll().where(areMet(where)).compile(),
      ),
    /** Parameters: the values. */
    insert: (columns: readonly string[], returning: boolean) =>
      once(`insert\0${returning}\0${columns.join('\0')}`, () => {
        const query = db
          .insertInto(table)
          .values(Object.fromEntries(columns.map((column) => [column, PLACE])))
        return returning ? query.returningAll().compile() : query.compile()
      }),
    /** Parameters: the new values, then those of the conditions. */
    update: (columns: readonly string[], where: readonly Condition[]) =>
      once(`update\0${columns.join('\0')}\0\0${shapeOf(where)}`, () =>
        db.updateTable(table).set(assignments(columns)).where(areMet(where)).compile(),
      ),
    /** Parameters: the values. */
    remove: (where: readonly Condition[]) =>
      once(`remove\0${shapeOf(where)}`, () => db.deleteFrom(table).where(areMet(where)).compile()),
    /** Parameters: the values of `where`, then those of `keepOneOf`. */
    removeUnlessLast: (where: readonly Condition[], keepOneOf: readonly Condition[]) =>
      once(`keep\0${shapeOf(where)}\0\0${shapeOf(keepOneOf)}`, () =>
        db.deleteFrom(table).where(areMet(where)).where(areSeveral(keepOneOf)).compile(),
      ),
  }
}
