import { type Column, getTableColumns, is, Table } from 'drizzle-orm'
import { ConfigError, UserValueError } from '../../errors.js'
import type { Dialect } from '../dialect.js'
import { encoder } from '../values.js'

/** The columns of a Drizzle table by property name. Without a prototype. */
export type Columns = Readonly<Record<string, Column>>

/**
 * The columns of a table.
 * @throws ConfigError if it isn't a Drizzle table
 */
export function columnsOf(store: string, table: unknown): Columns {
  if (!is(table, Table))
    throw new ConfigError(
      `${store}(db, table) needs a table made by pgTable, mysqlTable or sqliteTable`,
    )
  return Object.freeze(Object.assign(Object.create(null), getTableColumns(table)))
}

/** The dialect of a table, from the class of its columns. */
export function dialectOf(store: string, columns: Columns): Dialect {
  const type = Object.values(columns)[0]?.columnType ?? ''
  if (type.startsWith('Pg')) return 'postgres'
  if (type.startsWith('MySql')) return 'mysql'
  if (type.startsWith('SQLite')) return 'sqlite'
  throw new ConfigError(
    `${store} works with PostgreSQL, MySQL, MariaDB and SQLite, not with ${type}`,
  )
}

const isTimeType = ({ columnType }: Column): boolean => /Date|Time/.test(columnType)

/** Whether the database compares the column as text, with a collation. */
export const isText = (column: Column): boolean =>
  (column.dataType === 'string' || column.dataType === 'custom') && !isTimeType(column)

/** Whether a time can be stored in the column: Drizzle has several modes for them. */
export const holdsTimes = (column: Column): boolean =>
  column.dataType !== 'number' && column.dataType !== 'bigint' && column.dataType !== 'boolean'

const whole = /^-?\d{1,40}$/

/** The value in the type that the column has in JavaScript. Undefined if it has none. */
function converted(dialect: Dialect, column: Column, value: unknown): unknown {
  switch (column.dataType) {
    case 'boolean':
      return value === 0 || value === 1
        ? value === 1
        : typeof value === 'boolean'
          ? value
          : undefined
    case 'number': {
      const number = typeof value === 'string' && !whole.test(value) ? Number.NaN : Number(value)
      return value instanceof Date || Number.isNaN(number) ? undefined : number
    }
    case 'bigint':
      if (typeof value === 'bigint') return value
      if (typeof value === 'string') return whole.test(value) ? BigInt(value) : undefined
      return Number.isInteger(value) ? BigInt(value as number) : undefined
    case 'date':
      return value instanceof Date ? value : undefined
    case 'string':
      if (value instanceof Date) {
        const iso = value.toISOString()
        return dialect === 'mysql' ? iso.slice(0, -1).replace('T', ' ') : iso
      }
      if (typeof value === 'boolean') return undefined
      if (typeof value === 'object') return JSON.stringify(value)
      return String(value)
    default:
      return value
  }
}

/**
 * Turns values into parameters of the driver, with Drizzle's own conversion for the column.
 * @throws UserValueError for a value that the column can't hold unchanged
 */
export function drizzleEncoder(dialect: Dialect) {
  // Drivers get what Drizzle makes of a value, so this only refuses what nothing can store.
  const check = encoder(dialect, { dates: 'native', booleans: 'native' })
  return (column: Column, value: unknown, field: string): unknown => {
    if (value === null) return null
    check(field, value)
    const own = converted(dialect, column, value)
    if (own === undefined) throw new UserValueError(field)
    try {
      const parameter = column.mapToDriverValue(own)
      if (isPlain(parameter)) return parameter
    } catch (cause) {
      throw new UserValueError(field, { cause })
    }
    throw new UserValueError(field)
  }
}

/**
 * Whether a driver takes the parameter as one value. mysql2 expands objects into SQL. Drizzle turns
 * JSON into text by itself.
 */
const isPlain = (value: unknown): boolean =>
  typeof value !== 'object' ||
  value === null ||
  value instanceof Date ||
  value instanceof Uint8Array ||
  Array.isArray(value)
