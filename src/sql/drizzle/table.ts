import { type Column, entityKind, getTableName, is, SQL, sql } from 'drizzle-orm'
import { catalogOf, keepsBigNumbers, type Query } from '../catalog.js'
import { failureOf } from '../driver-errors.js'
import type { Table, TableRow, TableValues } from '../table.js'
import { columnsOf, dialectOf, drizzleEncoder } from './columns.js'
import type { DrizzleInstance } from './instance.js'
import { type Prepared, parametersOf, statements } from './statements.js'

/** Drizzle's error quotes the statement with its parameters, which may be credentials. */
const causeOf = (error: unknown): unknown =>
  error instanceof Error && 'query' in error && 'params' in error && error.cause
    ? error.cause
    : error

const schemaKey = Symbol.for('drizzle:Schema')

/**
 * A table through Drizzle. Columns have the property names of the table object.
 * @param key property of the primary key
 * @throws ConfigError if `given` isn't a Drizzle table of a supported dialect
 */
export function drizzleTable(
  store: string,
  instance: DrizzleInstance,
  given: unknown,
  key: string,
): Table {
  const columns = columnsOf(store, given)
  const dialect = dialectOf(store, columns)
  // biome-ignore lint/suspicious/noExplicitAny: the methods depend on the dialect
  const db = instance as any
  // biome-ignore lint/suspicious/noExplicitAny: checked above
  const table = given as any
  const schema: string | undefined = table[schemaKey]
  const name = schema === undefined ? getTableName(table) : `${schema}.${getTableName(table)}`
  const prepared = statements(db, dialect, table, columns, key)
  const encode = drizzleEncoder(dialect)
  const columnOf = (column: string) => columns[column] as Column

  /** The rows of a query, or on MySQL the header of a write. */
  const run = async (
    prepare: () => Prepared,
    parameters: Record<string, unknown>,
  ): Promise<unknown[]> => {
    try {
      const query = prepare()
      const answer = dialect === 'sqlite' ? query.all(parameters) : query.execute(parameters)
      return (await answer) as unknown[]
    } catch (error) {
      throw causeOf(error)
    }
  }

  const query: Query = async (text, ...values) => {
    const statement = sql(text, ...values)
    try {
      if (dialect === 'sqlite') return await db.all(statement)
      const answer = await db.execute(statement)
      return dialect === 'mysql' ? answer[0] : (answer.rows ?? answer)
    } catch (error) {
      throw causeOf(error)
    }
  }

  /**
   * Adds what `$defaultFn` and `$onUpdateFn` return. Drizzle calls them once for a prepared
   * statement.
   */
  const completed = (values: TableValues, isNew: boolean): TableValues => {
    const all = new Map(values)
    for (const [property, column] of Object.entries(columns)) {
      if (all.has(property)) continue
      const { default: fallback, defaultFn, onUpdateFn } = column
      const make = !isNew ? onUpdateFn : (defaultFn ?? (fallback ? undefined : onUpdateFn))
      const made = make?.()
      if (made !== undefined && !is(made, SQL)) all.set(property, encode(column, made, property))
    }
    return all
  }

  const matches = (answer: unknown[]): boolean => {
    if (dialect !== 'mysql') return answer.length > 0
    const [{ affectedRows, insertId }] = answer as [{ affectedRows: number; insertId: number }]
    return affectedRows > 0 || insertId === 1
  }

  return {
    name,
    dialect,
    isTransaction: /Transaction$/.test(db.constructor?.[entityKind] ?? ''),
    nameOf: (property) => {
      const column = columns[property]
      if (!column) return property
      return db.dialect?.casing?.getColumnCasing?.(column) ?? column.name
    },
    encode: (property, value, field) => encode(columnOf(property), value, field),
    makes: (property) => {
      const { default: fallback, defaultFn, onUpdateFn } = columnOf(property)
      return Boolean(defaultFn ?? (fallback === undefined && onUpdateFn))
    },
    async insert(values) {
      const all = completed(values, true)
      const answer = await run(
        () => prepared.insert([...all.keys()]),
        parametersOf(all.values(), []),
      )
      if (dialect !== 'mysql') return { row: answer[0] as TableRow }
      const known = all.get(key)
      if (known !== undefined) return { id: known }
      const [{ insertId }] = answer as [{ insertId: number | bigint | string }]
      return Number(insertId) === 0 ? {} : { id: encode(columnOf(key), insertId, 'id') }
    },
    async findOne(where, keyOnly = false) {
      const rows = await run(() => prepared.selectOne(where, keyOnly), parametersOf([], where))
      return rows[0] as TableRow | undefined
    },
    async findMany(where) {
      return (await run(() => prepared.selectAll(where), parametersOf([], where))) as TableRow[]
    },
    async update(values, where) {
      const all = completed(values, false)
      const parameters = parametersOf(all.values(), where)
      return matches(await run(() => prepared.update([...all.keys()], where), parameters))
    },
    async remove(where, keepOneOf) {
      const parameters = parametersOf([], where, keepOneOf)
      return matches(await run(() => prepared.remove(where, keepOneOf), parameters))
    },
    failureOf: (error) => failureOf(dialect, error),
    catalog: () => catalogOf(query, dialect, name),
    rounds: async (property) =>
      columnOf(property).dataType === 'number' ||
      (dialect === 'mysql' && !(await keepsBigNumbers(query, dialect))),
  }
}
