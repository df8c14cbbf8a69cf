import type { PasskeyStore } from '../ports/passkey-store.js'
import { modelColumns } from '../sql/model-columns.js'
import type { PrismaInstance, PrismaModel, PrismaRow } from '../sql/prisma/instance.js'
import { modelOf } from '../sql/prisma/model.js'
import { prismaTable } from '../sql/prisma/table.js'
import { PASSKEY_FIELDS, type PasskeyField } from './fields.js'
import { passkeysOver } from './over-table.js'

/** Options of `prismaPasskeys()`. */
export interface PrismaPasskeysOptions<Row extends object = Record<string, unknown>> {
  /**
   * Fields of a passkey (`id`, `userId`, `userHandle`, `credentialId`, `publicKey`, `counter`,
   * `transports`, `aaguid`, `name`, `backedUp`, `createdAt`, `lastUsedAt`) to fields of the model,
   * where they differ.
   * @defaultValue the names of the fields
   */
  fields?: Partial<Record<PasskeyField, keyof Row & string>>
}

/**
 * Passkeys in a model of their own, through Prisma: the option `passkeys.store`. The model needs
 * `@id` on `id` and `@unique` on `credentialId`; `counter` is a `BigInt`. On MySQL, declare
 * `credentialId` as `Bytes @db.VarBinary(1364)`: an index on as much text would be too long.
 *
 * A counter is compared and set in one statement. A passkey is deleted in a serializable
 * transaction, which is repeated after a conflict; of two parallel deletions of the last two
 * passkeys one succeeds. A row with something else than a passkey is a `CRUDAUTH_CONFIG` error.
 * @param model the model, as a property of the client: `'passkey'` for `model Passkey`
 * @throws ConfigError for invalid options
 * @example
 * const passkeys = prismaPasskeys(prisma, 'passkey')
 */
export function prismaPasskeys<Client extends PrismaInstance, Model extends PrismaModel<Client>>(
  prisma: Client,
  model: Model,
  options: PrismaPasskeysOptions<PrismaRow<Client, Model>> = {},
): PasskeyStore {
  const properties = Object.keys(modelOf('prismaPasskeys', prisma, model).fields)
  const columns = modelColumns(
    PASSKEY_FIELDS,
    `model "${model}"`,
    'fields',
    properties,
    options.fields as Record<string, string> | undefined,
  )
  const passkeys = prismaTable('prismaPasskeys', prisma, model, columns.id ?? 'id')
  return passkeysOver(passkeys, columns, { option: 'fields', properties })
}
