import { ConfigError } from '../errors.js'
import type { PasskeyStore } from '../ports/passkey-store.js'
import { columnsOf } from '../sql/drizzle/columns.js'
import type { DrizzleInstance, DrizzleTable } from '../sql/drizzle/instance.js'
import { drizzleTable } from '../sql/drizzle/table.js'
import { modelColumns } from '../sql/model-columns.js'
import { PASSKEY_FIELDS, type PasskeyField } from './fields.js'
import { passkeysOver } from './over-table.js'

/** Options of `drizzlePasskeys()`. */
export interface DrizzlePasskeysOptions<Row extends object = Record<string, unknown>> {
  /**
   * Fields of a passkey (`id`, `userId`, `userHandle`, `credentialId`, `publicKey`, `counter`,
   * `transports`, `aaguid`, `name`, `backedUp`, `createdAt`, `lastUsedAt`) to properties of the
   * table object, where they differ.
   * @defaultValue the names of the fields
   */
  columns?: Partial<Record<PasskeyField, keyof Row & string>>
}

/**
 * Passkeys in a table of their own, through Drizzle: the option `passkeys.store`. The table needs
 * unique constraints on `id` and on `credentialId`.
 *
 * A counter is compared and set in one statement, and a passkey is deleted in one statement; of two
 * parallel deletions of the last two passkeys one succeeds. A row with something else than a
 * passkey is a `CRUDAUTH_CONFIG` error.
 * @throws ConfigError for invalid options
 * @example
 * const store = drizzlePasskeys(db, passkeys)
 */
export function drizzlePasskeys<Passkeys extends DrizzleTable>(
  db: DrizzleInstance,
  table: Passkeys,
  options: DrizzlePasskeysOptions<Passkeys['$inferSelect']> = {},
): PasskeyStore {
  if (typeof db?.select !== 'function')
    throw new ConfigError('drizzlePasskeys(db, table) needs a Drizzle database')
  const properties = Object.keys(columnsOf('drizzlePasskeys', table))
  const columns = modelColumns(
    PASSKEY_FIELDS,
    'the table',
    'columns',
    properties,
    options.columns as Record<string, string> | undefined,
  )
  const passkeys = drizzleTable('drizzlePasskeys', db, table, columns.id ?? 'id')
  return passkeysOver(passkeys, columns, { properties })
}
