import type { OAuthAccountStore } from '../ports/oauth-account-store.js'
import { modelColumns } from '../sql/model-columns.js'
import type { PrismaInstance, PrismaModel, PrismaRow } from '../sql/prisma/instance.js'
import { modelOf } from '../sql/prisma/model.js'
import { prismaTable } from '../sql/prisma/table.js'
import { LINK_FIELDS, linksOver } from './over-table.js'

/** Options of `prismaOAuthAccounts()`. */
export interface PrismaOAuthAccountsOptions<Row extends object = Record<string, unknown>> {
  /**
   * Fields of a link (`provider`, `subject`, `userId`, `email`, `linkedAt`) to fields of the model,
   * where they differ.
   * @defaultValue the names of the fields
   */
  fields?: Partial<Record<(typeof LINK_FIELDS)[number], (keyof Row & string) | null>>
}

/**
 * Linked provider accounts in a model of their own, through Prisma: the option `oauth.accounts`.
 * The model needs `@@unique([provider, subject])` and `@@unique([userId, provider])`, or one of them as
 * its `@@id`.
 *
 * A link is removed in a serializable transaction, which is repeated after a conflict; of two
 * parallel removals of the last two links one succeeds.
 * @param model the model, as a property of the client: `'oAuthAccount'` for `model OAuthAccount`
 * @throws ConfigError for invalid options
 * @example
 * const accounts = prismaOAuthAccounts(prisma, 'oauthAccount')
 */
export function prismaOAuthAccounts<
  Client extends PrismaInstance,
  Model extends PrismaModel<Client>,
>(
  prisma: Client,
  model: Model,
  options: PrismaOAuthAccountsOptions<PrismaRow<Client, Model>> = {},
): OAuthAccountStore {
  const names = Object.keys(modelOf('prismaOAuthAccounts', prisma, model).fields)
  const columns = modelColumns(LINK_FIELDS, `model "${model}"`, 'fields', names, options.fields)
  const table = prismaTable('prismaOAuthAccounts', prisma, model, columns.provider ?? 'provider')
  return linksOver(table, columns, 'fields')
}
