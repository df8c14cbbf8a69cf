import { ConfigError } from '../../errors.js'
import type { UserStore } from '../../ports/user-store.js'
import { type Columns, columnsOf, holdsTimes } from '../../sql/drizzle/columns.js'
import type { DrizzleInstance, DrizzleTable } from '../../sql/drizzle/instance.js'
import { drizzleTable } from '../../sql/drizzle/table.js'
import { uniqueFields } from '../fields.js'
import { propertyColumns } from '../property-columns.js'
import { usersOver } from '../sql/users.js'
import type { DrizzleUsersOptions } from './options.js'

export type { DrizzleInstance, DrizzleTable } from '../../sql/drizzle/instance.js'
export type { TimestampColumn } from '../fields.js'
export type { DrizzleUsersOptions } from './options.js'

function checkTimes(
  columns: Columns,
  names: Readonly<Record<string, string>>,
  timestamps: ReadonlySet<string>,
): void {
  for (const field of [
    'createdAt',
    'updatedAt',
    'oauthCreatedAt',
    'oauthUpdatedAt',
    ...timestamps,
  ]) {
    const property = names[field]
    const column = property === undefined ? undefined : columns[property]
    if (column && !holdsTimes(column))
      throw new ConfigError(
        `Column "${property}" must be declared as a time for "${field}", for example integer('${column.name}', { mode: 'timestamp_ms' }) on SQLite; or set "columns.${field}" to null`,
      )
  }
}

/**
 * A user store in a table of Drizzle on PostgreSQL, MySQL, MariaDB or SQLite. Rows are those of
 * `$inferSelect`. Every read is one query and every write one atomic statement, compiled once; on
 * MySQL and MariaDB a new row is read back. A write by a text id is preceded by a read, which
 * checks that the id is spelled exactly as stored.
 *
 * Pass the database, not a transaction: a statement that was rolled back is retried only outside
 * one.
 * @param table made by `pgTable`, `mysqlTable` or `sqliteTable`
 * @throws ConfigError for invalid options, and from the first read if the rows don't fit them
 * @example
 * const users = drizzleUsers(db, accounts, { columns: { hashedPassword: 'passwordHash' } })
 */
export function drizzleUsers<Accounts extends DrizzleTable>(
  db: DrizzleInstance,
  table: Accounts,
  options: DrizzleUsersOptions<Accounts['$inferSelect']> = {},
): UserStore<Accounts['$inferSelect']> {
  if (typeof db?.select !== 'function')
    throw new ConfigError('drizzleUsers(db, table) needs a Drizzle database')
  const properties = columnsOf('drizzleUsers', table)
  const { columns, timestamps } = propertyColumns(
    'the table',
    'columns',
    Object.keys(properties),
    options.columns,
  )
  checkTimes(properties, columns, timestamps)
  return usersOver(drizzleTable('drizzleUsers', db, table, columns.id ?? 'id'), {
    columns,
    unique: uniqueFields(Object.keys(columns), options.unique ?? []),
    timestamps,
    optional: new Set(),
    writable: Object.keys(properties),
    generateId: options.generateId,
  })
}
