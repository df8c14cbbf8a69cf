import type { Kysely } from 'kysely'
import type { PasskeyStore } from '../ports/passkey-store.js'
import type { Dialect } from '../sql/dialect.js'
import { dialectOf } from '../sql/kysely/dialect.js'
import type { KyselyInstance } from '../sql/kysely/instance.js'
import { kyselyTable } from '../sql/kysely/table.js'
import { checkTable, resolveColumns } from '../sql/names.js'
import type { ValueOptions } from '../sql/values.js'
import { PASSKEY_FIELDS, type PasskeyField } from './fields.js'
import { passkeysOver } from './over-table.js'

/** Options of `kyselyPasskeys()`. */
export interface KyselyPasskeysOptions extends ValueOptions {
  /**
   * Table of the passkeys, with its schema if needed (`app.passkeys`).
   * @defaultValue `passkeys`
   */
  table?: string
  /**
   * Fields of a passkey (`id`, `userId`, `userHandle`, `credentialId`, `publicKey`, `counter`,
   * `transports`, `aaguid`, `name`, `backedUp`, `createdAt`, `lastUsedAt`) to columns, where they
   * differ from the snake_case names.
   * @defaultValue the snake_case names
   */
  columns?: Partial<Record<PasskeyField, string>>
  /**
   * SQL dialect.
   * @defaultValue that of the Kysely instance
   */
  dialect?: Dialect
}

/**
 * Passkeys in a table of their own, through Kysely: the option `passkeys.store`. The table needs
 * unique constraints on `id` and on `credential_id`.
 *
 * A counter is compared and set in one statement, and a passkey is deleted in one statement; of two
 * parallel deletions of the last two passkeys one succeeds. A row with something else than a
 * passkey is a `CRUDAUTH_CONFIG` error.
 * @throws ConfigError for invalid options
 * @example
 * const passkeys = kyselyPasskeys(db, { table: 'passkeys' })
 */
export function kyselyPasskeys(
  instance: KyselyInstance,
  options: KyselyPasskeysOptions = {},
): PasskeyStore {
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  const db = instance as unknown as Kysely<any>
  const { table = 'passkeys' } = options
  checkTable(table)
  const columns = resolveColumns(PASSKEY_FIELDS, options.columns)
  const dialect = dialectOf('kyselyPasskeys', db, options.dialect)
  return passkeysOver(kyselyTable(db, dialect, table, columns.id ?? 'id', options), columns)
}
