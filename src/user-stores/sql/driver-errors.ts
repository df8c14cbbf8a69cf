import { setTimeout as sleep } from 'node:timers/promises'
import type { Dialect } from './dialect.js'

/**
 * What a driver's error means:
 * `duplicate` a unique constraint; `columns` are those (or, on MySQL, the index) it names, if it names any;
 * `value` some value does not fit its column, be it written or compared;
 * `null` null where there must be a value; `columns` tells where, if known;
 * `again` the statement was rolled back for a reason that passes;
 * `other` anything else, which is not ours to interpret.
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

/** The columns of `Key (lower(email::text))=(a@b.c) already exists.`, in whatever language the server speaks. */
function postgresKey(error: DriverError): string[] {
  const key = /\((.+?)\)=\(/s.exec(text(error.detail))?.[1]
  if (key !== undefined)
    return key.split(/[(),]|::/).map((part) => part.trim().replace(/^"(.*)"$/, '$1'))
  // Without the right to read the table there is no detail, only the constraint: users_email_key.
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
 * Besides class 22 of SQLSTATE: data truncated, incorrect, too long or out of range; a check (MySQL, MariaDB); text that
 * cannot be compared with or converted to the column's character set; a number beside a UUID (MariaDB).
 */
const MYSQL_VALUE = new Set([
  1264, 1265, 1292, 1366, 1406, 1690, 3140, 3819, 4025, 1267, 1270, 1271, 3854, 3988, 4078, 4079,
])

function mysqlFailure(error: DriverError): Failure {
  const message = text(error.sqlMessage) || text(error.message)
  const errno = Number(error.errno)
  if (errno === 1062 || errno === 1586) {
    // The value stands before the key, and may itself read like one.
    const key = /.*for key ['`]?([^'`]+)['`]?/s.exec(message)?.[1] ?? ''
    return failure('duplicate', [key.replace(/^.*\./, '')])
  }
  if (errno === 1048) return failure('null')
  if (MYSQL_VALUE.has(errno) || /^22...$/.test(text(error.sqlState))) return failure('value')
  return failure(errno === 1213 ? 'again' : 'other')
}

/** By message, since each SQLite driver has codes of its own while the library's messages are the same everywhere. */
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
 * Runs one statement, and again when the database rolled it back for a deadlock, a conflict or a lock: up to eight times
 * within about a second, with growing random pauses, so that those who met do not meet again.
 */
export function persistently<T>(dialect: Dialect, run: () => Promise<T>, attempt = 1): Promise<T> {
  // Nearly every run succeeds at once and is on the path of a request: it gets no async layer of its own.
  return run().catch(async (error) => {
    if (attempt === ATTEMPTS || failureOf(dialect, error).kind !== 'again') throw error
    await sleep(Math.random() * 4 * 2 ** attempt)
    return persistently(dialect, run, attempt + 1)
  })
}
