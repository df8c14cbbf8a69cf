import { ConfigError } from '../../errors.js'
import type { Dialect } from '../../sql/dialect.js'
import { StateUnavailableError } from '../unavailable.js'

const names: Readonly<Record<Dialect, string>> = {
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  sqlite: 'SQLite',
}

/** Whether the database has no such table, or a column of it is missing. */
export function isMissingTable(error: unknown): boolean {
  const { code, errno, message } = error as { code?: unknown; errno?: unknown; message?: unknown }
  return (
    code === '42P01' ||
    code === '42703' ||
    errno === 1146 ||
    errno === 1054 ||
    /no such (?:table|column)/.test(String(message))
  )
}

/** Reduces an error of a driver to its code: its message may quote values and the address. */
function withoutData(dialect: Dialect, error: unknown): Error {
  const { code, errno, name } = error as { code?: unknown; errno?: unknown; name?: unknown }
  if (code === 'CRUDAUTH_DEADLINE') return error as Error
  const told = [code, errno, name].find(
    (part) => typeof part === 'number' || (typeof part === 'string' && /^\w+$/.test(part)),
  )
  const cure = isMissingTable(error) ? '; create the tables, see "Tables" in docs/state.md' : ''
  return new Error(`${names[dialect]} failed with ${told ?? 'an error'}${cure}`)
}

/** The outage that an error of the database is for the callers of a store. */
export const unavailable = (dialect: Dialect, error: unknown) =>
  error instanceof StateUnavailableError
    ? error
    : new StateUnavailableError(withoutData(dialect, error))

export const missingTables = (tables: readonly string[]) =>
  new ConfigError(
    `"state": the database lacks the table ${tables.map((name) => `"${name}"`).join(' or ')}, or one of its columns; create both with what "npx fastify-crudauth schema --no-users --features state" prints, or name others in kyselyState(db, { tables })`,
  )
