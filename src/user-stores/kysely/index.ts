import type { Kysely } from 'kysely'
import { MFA_FIELDS, type UserStore } from '../../ports/user-store.js'
import { dialectOf } from '../../sql/kysely/dialect.js'
import type { KyselyInstance } from '../../sql/kysely/instance.js'
import { kyselyTable } from '../../sql/kysely/table.js'
import { checkTable, resolveColumns } from '../../sql/names.js'
import { CORE_FIELDS, timestampColumns, uniqueFields } from '../fields.js'
import { usersOver } from '../sql/users.js'
import type { KyselyUsersOptions } from './options.js'

export type { KyselyInstance } from '../../sql/kysely/instance.js'
export type { TimestampColumn } from '../fields.js'
export type { KyselyUsersOptions } from './options.js'
export { cachedStatements } from './sqlite/cached-statements.js'

/**
 * A user store in the app's own table on PostgreSQL, MySQL, MariaDB or SQLite. Every read is one
 * query and every write one atomic statement, compiled once. A write by a text id is preceded by a
 * read, which checks that the id is spelled exactly as stored.
 *
 * Pass the instance of the pool, not a transaction: a statement that was rolled back is retried
 * only outside one. The first row is compared with the options; rows stay as the driver reads them.
 * @throws ConfigError for invalid options, and from the first read if the table doesn't match them
 * @example
 * const users = kyselyUsers(db, { table: 'accounts', columns: { id: 'account_id' } })
 */
export function kyselyUsers<Row extends object = Record<string, unknown>>(
  instance: KyselyInstance,
  options: KyselyUsersOptions = {},
): UserStore<Row> {
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  const db = instance as unknown as Kysely<any>
  const { table = 'users', generateId } = options
  checkTable(table)
  const dialect = dialectOf('kyselyUsers', db, options.dialect)
  const { names, timestamps } = timestampColumns(options.columns)
  const columns = resolveColumns([...CORE_FIELDS, ...MFA_FIELDS], names)
  return usersOver<Row>(kyselyTable(db, dialect, table, columns.id ?? 'id', options), {
    columns,
    unique: uniqueFields(Object.keys(columns), options.unique ?? []),
    timestamps,
    optional: new Set(MFA_FIELDS.filter((field) => names[field] === undefined)),
    generateId,
  })
}
