import { ConfigError } from '../errors.js'
import type { OAuthAccountStore } from '../ports/oauth-account-store.js'
import { columnsOf } from '../sql/drizzle/columns.js'
import type { DrizzleInstance, DrizzleTable } from '../sql/drizzle/instance.js'
import { drizzleTable } from '../sql/drizzle/table.js'
import { modelColumns } from '../sql/model-columns.js'
import { LINK_FIELDS, linksOver } from './over-table.js'

/** Options of `drizzleOAuthAccounts()`. */
export interface DrizzleOAuthAccountsOptions<Row extends object = Record<string, unknown>> {
  /**
   * Fields of a link (`provider`, `subject`, `userId`, `email`, `linkedAt`) to properties of the
   * table object, where they differ.
   * @defaultValue the names of the fields
   */
  columns?: Partial<Record<(typeof LINK_FIELDS)[number], (keyof Row & string) | null>>
}

/**
 * Linked provider accounts in a table of their own, through Drizzle: the option `oauth.accounts`.
 * The table needs unique constraints on (provider, subject) and (userId, provider).
 *
 * A link is removed in one statement; of two parallel removals of the last two links one succeeds.
 * @throws ConfigError for invalid options
 * @example
 * const accounts = drizzleOAuthAccounts(db, oauthAccounts)
 */
export function drizzleOAuthAccounts<Links extends DrizzleTable>(
  db: DrizzleInstance,
  table: Links,
  options: DrizzleOAuthAccountsOptions<Links['$inferSelect']> = {},
): OAuthAccountStore {
  if (typeof db?.select !== 'function')
    throw new ConfigError('drizzleOAuthAccounts(db, table) needs a Drizzle database')
  const properties = Object.keys(columnsOf('drizzleOAuthAccounts', table))
  const columns = modelColumns(LINK_FIELDS, 'the table', 'columns', properties, options.columns)
  const key = columns.provider ?? 'provider'
  return linksOver(drizzleTable('drizzleOAuthAccounts', db, table, key), columns)
}
