import { ConfigError, UserValueError } from '../../errors.js'
import type { Dialect } from '../../sql/dialect.js'
import { isStorableText } from '../storable-text.js'

/** How values are stored. */
export interface ValueOptions {
  /**
   * How times are stored: as the driver does (`native`), as ISO 8601 text, or as seconds or
   * milliseconds since 1970.
   * @defaultValue `text` on SQLite, else `native`
   */
  dates?: 'native' | 'text' | 'seconds' | 'milliseconds'
  /**
   * How booleans are stored. `number` is 1 and 0.
   * @defaultValue `number` on SQLite, else `native`
   */
  booleans?: 'native' | 'number'
}

const DATES = {
  native: (date: Date): unknown => date,
  text: (date: Date): unknown => date.toISOString(),
  seconds: (date: Date): unknown => Math.floor(date.getTime() / 1000),
  milliseconds: (date: Date): unknown => date.getTime(),
}

/**
 * Creates a function that turns values into parameters. It never passes a value that a driver would
 * misinterpret: mysql2 expands an object into SQL and writes NaN as a column name, and libsql ends
 * the process on a boolean.
 * @throws UserValueError from the returned function, for a value that can't be stored unchanged
 */
export function encoder(
  dialect: Dialect,
  options: ValueOptions,
): (field: string, value: unknown) => unknown {
  const dates = options.dates ?? (dialect === 'sqlite' ? 'text' : 'native')
  const booleans = options.booleans ?? (dialect === 'sqlite' ? 'number' : 'native')
  if (!Object.hasOwn(DATES, dates))
    throw new ConfigError('"dates" must be "native", "text", "seconds" or "milliseconds"')
  if (booleans !== 'native' && booleans !== 'number')
    throw new ConfigError('"booleans" must be "native" or "number"')
  const encodeDate = DATES[dates]

  return function encode(field, value) {
    switch (typeof value) {
      case 'string':
        if (isStorableText(value)) return value
        break
      case 'number':
        if (Number.isFinite(value)) return value
        break
      case 'bigint':
        if (dialect !== 'sqlite' || BigInt.asIntN(64, value) === value) return value
        break
      case 'boolean':
        return booleans === 'number' ? Number(value) : value
      case 'object':
        if (value === null || value instanceof Uint8Array) return value
        if (value instanceof Date) {
          if (!Number.isNaN(value.getTime())) return encodeDate(value)
          break
        }
        return dialect === 'postgres' ? value : JSON.stringify(value)
    }
    throw new UserValueError(field)
  }
}

/** Whether a row could have this id. Saves a query, and an error of the driver. */
export function isPossibleId(dialect: Dialect, id: unknown): boolean {
  if (typeof id === 'string') return isStorableText(id)
  if (typeof id === 'number') return Number.isSafeInteger(id)
  if (typeof id !== 'bigint') return false
  return BigInt.asIntN(64, id) === id || (dialect !== 'sqlite' && BigInt.asUintN(64, id) === id)
}

/** Whether a row could have this value in a unique field. */
export const isPossibleKey = (value: unknown): value is string | number | bigint =>
  typeof value === 'string'
    ? isStorableText(value)
    : Number.isSafeInteger(value) || typeof value === 'bigint'

const lowered = (value: string): string => value.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/**
 * Whether the row found has the value that was searched for. Databases compare loosely. In MySQL,
 * `abc` equals 0, and most collations treat `rené@example.com` as `rene@example.com`, which would
 * send one user's password reset to another. Only the case of A to Z may differ (citext, `_ci`
 * collations). A numeric column may be searched with digits as text.
 */
export function isSameKey(stored: unknown, asked: string | number | bigint): boolean {
  if (typeof stored === 'string')
    return typeof asked === 'string' && lowered(stored) === lowered(asked)
  return (
    (typeof stored === 'number' || typeof stored === 'bigint') && String(stored) === String(asked)
  )
}
