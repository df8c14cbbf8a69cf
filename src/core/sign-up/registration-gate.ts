import { ConfigError } from '../../errors.js'
import { PROVIDER_ID_FIELDS, type UserFields } from '../../ports/user-store.js'

/** Logical fields that no sign-up may ever set from outside. */
const privilegedFields = [
  'id',
  'hashedPassword',
  'password',
  'isActive',
  'isSuperuser',
  'tokenVersion',
  'oauthProvider',
  'oauthCreatedAt',
  'oauthUpdatedAt',
  'createdAt',
  'updatedAt',
] as const

/** To SQLite the id of a row under other names, whatever its column is called. */
const rowIds = ['rowid', 'oid', '_rowid_']

/** `hashed_password`, `hashedPassword` and `HASHEDPASSWORD` are one name to somebody who tries them. */
const fold = (name: string) => name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase()

/**
 * Tells whether a name, logical or column, is one that only the server may set.
 * @param further logical fields of features, beside those that are privileged in every model
 */
export function privilegedNames(
  fields: UserFields,
  further: readonly string[] = [],
): (name: string) => boolean {
  const names = new Set<string>()
  const add = (logical: string) => {
    names.add(fold(logical))
    const column = fields.columns[logical]
    if (column !== undefined) names.add(fold(column))
  }
  for (const field of [...privilegedFields, ...PROVIDER_ID_FIELDS, ...further]) add(field)
  for (const logical of Object.keys(fields.columns)) if (logical.endsWith('Verified')) add(logical)
  for (const name of [...rowIds, '__proto__', 'constructor', 'prototype']) names.add(fold(name))
  return (name) => names.has(fold(name)) || fold(name).endsWith('verified')
}

/**
 * Takes from a body what is allowed and nothing else.
 * @throws ConfigError when a privileged name is allowed
 */
export function createAllowlist(
  fields: UserFields,
  allow: readonly string[],
  privileged: readonly string[],
): (body: object) => Record<string, unknown> {
  const isPrivileged = privilegedNames(fields, privileged)
  for (const name of allow) {
    if (isPrivileged(name)) {
      throw new ConfigError(
        `"${name}" is a privileged field, which a sign-up cannot set; remove it from the list`,
      )
    }
  }
  return (body) => {
    const values: Record<string, unknown> = {}
    for (const name of allow) {
      if (Object.hasOwn(body, name)) values[name] = (body as Record<string, unknown>)[name]
    }
    return values
  }
}

/** Options of `createRegistrationGate`. */
export interface RegistrationGateOptions {
  /** `users.fields` of the store that the values are for. */
  readonly fields: UserFields
  /** Names that may be taken from the body. A privileged one is refused. */
  readonly allow: readonly string[]
  /** Keys of OAuth providers of the app's own, whose `<key>Id` fields are privileged too. */
  readonly providers?: readonly string[]
}

/**
 * The allowlist of sign-up, for hand-written routes: returns a function that takes from a body what is allowed and
 * nothing else. Privileged fields (id, password hash, flags, `…_verified`, token version, provider ids, time stamps) can
 * never be allowed, neither by logical nor by column name.
 * @throws ConfigError at set-up when a privileged name is allowed
 * @example
 * const pick = createRegistrationGate({ fields: users.fields, allow: ['email', 'name'] })
 * const values = pick(request.body)
 */
export const createRegistrationGate = ({
  fields,
  allow,
  providers = [],
}: RegistrationGateOptions): ((body: object) => Record<string, unknown>) =>
  createAllowlist(
    fields,
    allow,
    providers.map((provider) => `${provider}Id`),
  )
