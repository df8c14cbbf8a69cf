import type { Kysely } from 'kysely'
import type { OAuthAccountStore } from '../ports/oauth-account-store.js'
import type { Dialect } from '../sql/dialect.js'
import { dialectOf } from '../sql/kysely/dialect.js'
import type { KyselyInstance } from '../sql/kysely/instance.js'
import { kyselyTable } from '../sql/kysely/table.js'
import { checkTable, resolveColumns } from '../sql/names.js'
import type { ValueOptions } from '../sql/values.js'
import { LINK_FIELDS, linksOver } from './over-table.js'

/** Options of `kyselyOAuthAccounts()`. */
export interface KyselyOAuthAccountsOptions extends ValueOptions {
  /**
   * Table of the links, with its schema if needed (`app.oauth_accounts`).
   * @defaultValue `oauth_accounts`
   */
  table?: string
  /**
   * Fields of a link (`provider`, `subject`, `userId`, `email`, `linkedAt`) to columns, where they
   * differ from the snake_case names. `null` for `email` if the table has none.
   * @defaultValue the snake_case names
   */
  columns?: Partial<Record<(typeof LINK_FIELDS)[number], string | null>>
  /**
   * SQL dialect.
   * @defaultValue that of the Kysely instance
   */
  dialect?: Dialect
}

/**
 * Linked provider accounts in a table of their own, through Kysely: the option `oauth.accounts`.
 * The table needs unique constraints on (provider, subject) and (user_id, provider).
 *
 * A link is removed in one statement; of two parallel removals of the last two links one succeeds.
 * @throws ConfigError for invalid options
 * @example
 * const accounts = kyselyOAuthAccounts(db, { table: 'oauth_accounts' })
 */
export function kyselyOAuthAccounts(
  instance: KyselyInstance,
  options: KyselyOAuthAccountsOptions = {},
): OAuthAccountStore {
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  const db = instance as unknown as Kysely<any>
  const { table = 'oauth_accounts' } = options
  checkTable(table)
  const columns = resolveColumns(LINK_FIELDS, options.columns)
  const dialect = dialectOf('kyselyOAuthAccounts', db, options.dialect)
  return linksOver(kyselyTable(db, dialect, table, columns.provider ?? '', options), columns)
}
