import { ConfigError } from '../errors.js'
import type { Passkey } from '../ports/passkey-store.js'
import type { Table, TableRow } from '../sql/table.js'
import { isCounter, type PasskeyColumns, type PasskeyField } from './fields.js'

/** Text, also of a column that MySQL compares byte by byte because it holds bytes. */
function textOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  return typeof value === 'string' ? value : undefined
}

/** Ids stay what they are: the number 1 and the text `1` may be two users. */
const userIdOf = (value: unknown): Passkey['userId'] | undefined =>
  typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value)
    ? (value as Passkey['userId'])
    : undefined

/** Drivers return 64-bit integers as numbers, bigints or digits. */
function counterOf(value: unknown): number | undefined {
  const isWhole = typeof value === 'bigint' || (typeof value === 'string' && /^\d+$/.test(value))
  const number = isWhole ? Number(value) : value
  return isCounter(number) ? number : undefined
}

function transportsOf(value: unknown): string[] | undefined {
  let list = value
  try {
    // A column of JSON returns the list itself.
    if (!Array.isArray(value)) list = JSON.parse(textOf(value) ?? '')
  } catch {
    return undefined
  }
  if (!Array.isArray(list)) return undefined
  return list.every((name) => typeof name === 'string') ? [...list] : undefined
}

function flagOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  const number = typeof value === 'bigint' ? Number(value) : value
  return number === 0 || number === 1 ? number === 1 : undefined
}

/** As many milliseconds were over in 1973, and as many seconds will take until the year 5138. */
const firstMilliseconds = 1e11

/** A time as the driver returns it, as text, or as seconds or milliseconds since 1970. */
function timeOf(value: unknown): Date | undefined {
  let milliseconds = Number.NaN
  if (value instanceof Date) milliseconds = value.getTime()
  else if (typeof value === 'string' && !/^\d+(?:\.\d+)?$/.test(value)) {
    // Without a zone it is UTC: that is how MySQL's datetime is written as text.
    const isLocal = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/.test(value)
    milliseconds = Date.parse(isLocal ? `${value.replace(' ', 'T')}Z` : value)
  } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') {
    const number = Number(value)
    milliseconds = Math.abs(number) < firstMilliseconds ? number * 1000 : number
  }
  const time = new Date(milliseconds)
  return Number.isNaN(time.getTime()) ? undefined : time
}

/**
 * Creates a function that reads a row. It never guesses: a counter that isn't one would let a cloned
 * authenticator in.
 * @throws ConfigError from the returned function, for a column that is missing or holds something
 * else. The message doesn't contain the value.
 */
export function rowReader(
  { name: table, nameOf }: Pick<Table, 'name' | 'nameOf'>,
  columns: PasskeyColumns,
): (row: TableRow) => Passkey {
  const fail = (field: PasskeyField, wanted: string, value: unknown): never => {
    const column = nameOf(columns[field])
    throw new ConfigError(
      value === undefined
        ? `A row of table "${table}" has no column "${column}" for "${field}"; add it, or name another column`
        : `Column "${column}" of table "${table}" must hold ${wanted} for "${field}"; a row has ${value === null ? 'null' : `something else (${typeof value})`}`,
    )
  }

  return function readRow(row) {
    const read = <T>(
      field: PasskeyField,
      wanted: string,
      convert: (value: unknown) => T | undefined,
    ): T => {
      const value = row[columns[field]]
      return convert(value) ?? fail(field, wanted, value)
    }
    const text = (field: PasskeyField) => read(field, 'text', textOf)
    const time = (field: PasskeyField) => read(field, 'a time', timeOf)
    return {
      id: text('id'),
      userId: read('userId', 'the id of a user', userIdOf),
      userHandle: text('userHandle'),
      credentialId: text('credentialId'),
      publicKey: text('publicKey'),
      counter: read('counter', 'an integer from 0 to 4294967295', counterOf),
      transports: read('transports', 'a JSON list of texts', transportsOf),
      aaguid: text('aaguid'),
      name: text('name'),
      backedUp: read('backedUp', 'true or false', flagOf),
      createdAt: time('createdAt'),
      lastUsedAt: row[columns.lastUsedAt] === null ? null : time('lastUsedAt'),
    }
  }
}
