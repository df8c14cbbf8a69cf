import { setTimeout as sleep } from 'node:timers/promises'
import type { Dialect } from './dialect.js'

/**
 * Meaning of a driver error:
 * - `duplicate`: a unique violation; `columns` has the columns in the error (on MySQL the index)
 * - `value`: a written or compared value doesn't fit its column
 * - `null`: null in a column that requires a value; `columns` has the column, if known
 * - `again`: the statement was rolled back for a temporary reason
 * - `other`: anything else
 */
export interface Failure {
  kind: 'duplicate' | 'value' | 'null' | 'again' | 'other'
  columns: string[]
}

interface DriverError {
  code?: unknown
  errno?: unknown
  sqlState?: unknown
  message?: unknown
  sqlMessage?: unknown
  detail?: unknown
  constraint?: unknown
  constraint_name?: unknown
  column?: unknown
  column_name?: unknown
}

const failure = (kind: Failure['kind'], columns: string[] = []): Failure => ({ kind, columns })
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The columns in `Key (lower(email::text))=(a@b.c) already exists.`, in any language. */
function postgresKey(error: DriverError): string[] {
  const key = /\((.+?)\)=\(/s.exec(text(error.detail))?.[1]
  if (key !== undefined)
    return key.split(/[(),]|::/).map((part) => part.trim().replace(/^"(.*)"$/, '$1'))
  // Without the privilege to read the table there is no detail, only the constraint:
  // users_email_key.
  const name = text(error.constraint) || text(error.constraint_name)
  return /_pkey$/.test(name) ? ['PRIMARY'] : [name.replace(/_(?:key|idx|unique)$/, ''), name]
}

function postgresFailure(error: DriverError): Failure {
  const code = text(error.code)
  if (code === '23505') return failure('duplicate', postgresKey(error))
  if (code === '23502') return failure('null', [text(error.column) || text(error.column_name)])
  // 22: data exception; 23514: check; 54000: too long for an index.
  if (/^22...$/.test(code) || code === '23514' || code === '54000') return failure('value')
  return failure(code === '40001' || code === '40P01' ? 'again' : 'other')
}

/**
 * Value errors besides SQLSTATE class 22. Data that is truncated, incorrect, too long or out of
 * range; check constraints (MySQL, MariaDB); text that can't be compared with or converted to the
 * character set of the column; a number compared with a UUID (MariaDB).
 */
const MYSQL_VALUE = new Set([
  1264, 1265, 1292, 1366, 1406, 1690, 3140, 3819, 4025, 1267, 1270, 1271, 3854, 3988, 4078, 4079,
])

function mysqlFailure(error: DriverError): Failure {
  const message = text(error.sqlMessage) || text(error.message)
  const errno = Number(error.errno)
  if (errno === 1062 || errno === 1586) {
    // The value precedes the key in the message, and may itself look like a key.
    const key = /.*for key ['`]?([^'`]+)['`]?/s.exec(message)?.[1] ?? ''
    return failure('duplicate', [key.replace(/^.*\./, '')])
  }
  if (errno === 1048) return failure('null')
  if (MYSQL_VALUE.has(errno) || /^22...$/.test(text(error.sqlState))) return failure('value')
  return failure(errno === 1213 ? 'again' : 'other')
}

/**
 * Checks the message: each SQLite driver has its own codes, but the messages are those of SQLite.
 */
function sqliteFailure(error: DriverError): Failure {
  const message = text(error.message)
  const unique = /UNIQUE constraint failed: (.*)/s.exec(message)?.[1]
  if (unique !== undefined) {
    const named = unique.startsWith("index '") ? [] : unique.split(', ')
    return failure(
      'duplicate',
      named.map((column) => column.trim().replace(/^.*\./, '')),
    )
  }
  const absent = /NOT NULL constraint failed: (?:.*\.)?(.*)/.exec(message)?.[1]
  if (absent !== undefined) return failure('null', [absent])
  if (
    /CHECK constraint failed|datatype mismatch|cannot store \w+ value in \w+ column|string or blob too big/.test(
      message,
    )
  ) {
    return failure('value')
  }
  return failure(
    /SQLITE_BUSY|SQLITE_LOCKED/.test(text(error.code)) ||
      /database (?:table )?is locked/.test(message)
      ? 'again'
      : 'other',
  )
}

const BY_DIALECT = { postgres: postgresFailure, mysql: mysqlFailure, sqlite: sqliteFailure }

export function failureOf(dialect: Dialect, error: unknown): Failure {
  if (typeof error !== 'object' || error === null) return failure('other')
  return BY_DIALECT[dialect](error as DriverError)
}

const ATTEMPTS = 8

/**
 * Runs one statement, and retries it if the database rolled it back for a deadlock, a conflict or a
 * lock. Up to eight attempts within about a second. Growing random delays keep competing statements
 * apart.
 * @param attempts maximum number of attempts
 * @param longestMs maximum delay between two attempts
 */
export function withRetries<T>(
  dialect: Dialect,
  run: () => Promise<T>,
  attempts = ATTEMPTS,
  longestMs = 1000,
): Promise<T> {
  const attempt = (number: number): Promise<T> =>
    // Not an async function: requests wait for this, and nearly every statement succeeds at once.
    run().catch(async (error) => {
      if (number === attempts || failureOf(dialect, error).kind !== 'again') throw error
      await sleep(Math.random() * Math.min(4 * 2 ** number, longestMs))
      return attempt(number + 1)
    })
  return attempt(1)
}
