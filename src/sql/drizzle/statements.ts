import { type Column, type SQL, sql } from 'drizzle-orm'
import type { Dialect } from '../dialect.js'
import type { Condition } from '../table.js'
import { type Columns, isText } from './columns.js'

/** A query that Drizzle has compiled. `values` are its parameters by the name of the placeholder. */
export interface Prepared {
  execute(values: Record<string, unknown>): Promise<unknown>
  all(values: Record<string, unknown>): unknown[] | Promise<unknown[]>
}

const MAX_SHAPES = 500

/** What a statement depends on: everything but the values. */
const shapeOf = (where: readonly Condition[]): string =>
  where.map(({ column, is }) => `${is} ${column}`).join('\0')

/** The parameters: new values as `v0`, `v1`, …, conditions as `w0`, those to keep as `k0`. */
export function parametersOf(
  values: Iterable<unknown>,
  where: readonly Condition[],
  keepOneOf: readonly Condition[] = [],
): Record<string, unknown> {
  const parameters: Record<string, unknown> = {}
  let at = 0
  for (const value of values) parameters[`v${at++}`] = value
  for (const [index, condition] of where.entries())
    if ('value' in condition) parameters[`w${index}`] = condition.value
  for (const [index, condition] of keepOneOf.entries())
    if ('value' in condition) parameters[`k${index}`] = condition.value
  return parameters
}

/** The statements for a table. Drizzle compiles each once per set of columns. */
export function statements(
  // biome-ignore lint/suspicious/noExplicitAny: the methods depend on the dialect
  db: any,
  dialect: Dialect,
  // biome-ignore lint/suspicious/noExplicitAny: the same
  table: any,
  columns: Columns,
  key: string,
) {
  const compiled = new Map<string, Prepared>()
  const once = (shape: string, compile: () => { prepare(): Prepared }): Prepared => {
    const found = compiled.get(shape)
    if (found) return found
    // An app has few columns. The limit bounds the memory if their names ever come from requests.
    if (compiled.size >= MAX_SHAPES) compiled.clear()
    const query = compile().prepare()
    compiled.set(shape, query)
    return query
  }
  const columnOf = (name: string) => columns[name] as Column

  const isMet = (condition: Condition, name: string): SQL => {
    const column = columnOf(condition.column)
    const place = sql.placeholder(name)
    if (condition.is === 'null') return sql`${column} is null`
    if (condition.is === 'present') return sql`${column} is not null`
    if (condition.is === 'equal') return sql`${column} = ${place}`
    if (dialect === 'postgres') return sql`${column} is not distinct from ${place}`
    if (dialect === 'sqlite') return sql`${column} is ${place}`
    // Compare bytes: most collations ignore case and trailing spaces.
    if (isText(column))
      return sql`cast(convert(${column} using utf8mb4) as binary) <=> cast(convert(${place} using utf8mb4) as binary)`
    return sql`${column} <=> ${place}`
  }
  const areMet = (where: readonly Condition[], prefix = 'w'): SQL =>
    sql.join(
      where.map((condition, at) => isMet(condition, `${prefix}${at}`)),
      sql` and `,
    )

  /** Whether at least two rows meet the conditions, as in the Kysely adapter. */
  const areSeveral = (where: readonly Condition[]): SQL => {
    const rows = sql`from ${table} where ${areMet(where, 'k')}`
    if (dialect === 'postgres')
      return sql`(select count(*) from (select 1 ${rows} for update) as kept) > 1`
    if (dialect === 'mysql')
      return sql`(select n from (select count(*) as n ${rows} for update) as kept) > 1`
    return sql`(select count(*) ${rows}) > 1`
  }

  /**
   * MySQL reports either the changed or the matched rows, depending on the flags of the connection.
   * LAST_INSERT_ID(1) is evaluated for each matched row and returned as the insert id.
   */
  const assignments = (names: readonly string[]): Record<string, SQL> =>
    Object.fromEntries(
      names.map((name, at) => {
        const place = sql.placeholder(`v${at}`)
        return [
          name,
          dialect === 'mysql' && at === 0
            ? sql`if(last_insert_id(1), ${place}, null)`
            : sql`${place}`,
        ]
      }),
    )
  // biome-ignore lint/suspicious/noExplicitAny: a query of any dialect
  const returningKey = (query: any) =>
    dialect === 'mysql' ? query : query.returning({ key: columnOf(key) })
  // The app may have switched on a cache for all queries. Credentials are never read from it.
  // biome-ignore lint/suspicious/noExplicitAny: a query of any dialect
  const uncached = (query: any) => query.$withCache?.(false) ?? query

  return {
    selectOne: (where: readonly Condition[], keyOnly: boolean) =>
      once(`one\0${keyOnly}\0${shapeOf(where)}`, () => {
        const query = keyOnly ? db.select({ [key]: columnOf(key) }) : db.select()
        return uncached(query.from(table).where(areMet(where)).limit(1))
      }),
    selectAll: (where: readonly Condition[]) =>
      once(`all\0${shapeOf(where)}`, () => uncached(db.select().from(table).where(areMet(where)))),
    insert: (names: readonly string[]) =>
      once(`insert\0${names.join('\0')}`, () => {
        const values = names.map((name, at) => [name, sql`${sql.placeholder(`v${at}`)}`])
        const query = db.insert(table).values(Object.fromEntries(values))
        return dialect === 'mysql' ? query : query.returning()
      }),
    update: (names: readonly string[], where: readonly Condition[]) =>
      once(`update\0${names.join('\0')}\0\0${shapeOf(where)}`, () =>
        returningKey(db.update(table).set(assignments(names)).where(areMet(where))),
      ),
    remove: (where: readonly Condition[], keepOneOf?: readonly Condition[]) =>
      once(`remove\0${shapeOf(where)}\0\0${keepOneOf ? shapeOf(keepOneOf) : ''}`, () => {
        const met = areMet(where)
        const condition = keepOneOf ? sql`${met} and ${areSeveral(keepOneOf)}` : met
        return returningKey(db.delete(table).where(condition))
      }),
  }
}
