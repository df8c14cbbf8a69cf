import { ConfigError } from '../../errors.js'
import type { UserStore } from '../../ports/user-store.js'
import type { PrismaInstance, PrismaModel, PrismaRow } from '../../sql/prisma/instance.js'
import { type ClientModel, modelOf } from '../../sql/prisma/model.js'
import { prismaTable } from '../../sql/prisma/table.js'
import { uniqueFields } from '../fields.js'
import { propertyColumns } from '../property-columns.js'
import { usersOver } from '../sql/users.js'
import type { PrismaUsersOptions } from './options.js'

export type { PrismaInstance, PrismaModel, PrismaRow } from '../../sql/prisma/instance.js'
export type { TimestampColumn } from '../fields.js'
export type { PrismaUsersOptions } from './options.js'

function checkTypes(
  { fields }: ClientModel,
  columns: Readonly<Record<string, string>>,
  timestamps: ReadonlySet<string>,
): void {
  const isFlag = (field: string) =>
    field === 'isActive' || field === 'isSuperuser' || field.endsWith('Verified')
  for (const [field, name] of Object.entries(columns)) {
    const type = fields[name]?.type ?? ''
    const isTime = timestamps.has(field) || /^(created|updated|oauth\w+ed)At$/.test(field)
    if (isTime && type !== 'DateTime')
      throw new ConfigError(`Field "${name}" must be a DateTime for "${field}", not ${type}`)
    if (isFlag(field) && !timestamps.has(field) && type !== 'Boolean' && type !== 'Int')
      throw new ConfigError(
        `Field "${name}" must be a Boolean for "${field}", not ${type}; for a DateTime set "fields.${field}" to { column: "${name}", as: "timestamp" }`,
      )
  }
}

/**
 * A user store in a model of Prisma on PostgreSQL, MySQL, MariaDB or SQLite, with Prisma 6 or 7,
 * with and without driver adapters. Rows are those of the client. It writes with conditions
 * (`updateMany`), so every write is atomic. MySQL and MariaDB may ignore case and accents: there, a
 * text that must be unchanged is compared byte by byte under a lock.
 *
 * Pass the client, not that of a transaction: a write that was rolled back is retried only outside
 * one. Nothing of Prisma is imported, so the client may be generated into any folder.
 * @param model the model, as a property of the client: `'account'` for `model Account`
 * @throws ConfigError for invalid options
 * @example
 * const users = prismaUsers(prisma, 'account', { fields: { hashedPassword: 'passwordHash' } })
 */
export function prismaUsers<Client extends PrismaInstance, Model extends PrismaModel<Client>>(
  prisma: Client,
  model: Model,
  options: PrismaUsersOptions<PrismaRow<Client, Model>> = {},
): UserStore<PrismaRow<Client, Model>> {
  const known = modelOf('prismaUsers', prisma, model)
  const names = Object.keys(known.fields)
  const { columns, timestamps } = propertyColumns(
    `the model "${model}"`,
    'fields',
    names,
    options.fields,
  )
  checkTypes(known, columns, timestamps)
  return usersOver(prismaTable('prismaUsers', prisma, model, columns.id ?? 'id'), {
    columns,
    unique: uniqueFields(Object.keys(columns), options.unique ?? []),
    timestamps,
    optional: new Set(),
    writable: names,
    generateId: options.generateId,
    option: 'fields',
  })
}
