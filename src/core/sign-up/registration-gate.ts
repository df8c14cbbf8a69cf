import { ConfigError } from '../../errors.js'
import { MFA_FIELDS, PROVIDER_ID_FIELDS, type UserFields } from '../../ports/user-store.js'

/** Logical fields that no sign-up may set from outside. */
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

/** Names for the id of a row in SQLite, whatever its column is called. */
const rowIds = ['rowid', 'oid', '_rowid_']

/**
 * Folds `hashed_password`, `hashedPassword` and `HASHEDPASSWORD` into one name: an attacker tries
 * all spellings.
 */
const fold = (name: string) => name.replace(/[^\p{L}\p{N}]/gu, '').toLowerCase()

/**
 * Returns a function that tells whether a logical or column name is privileged: only the server may
 * set it.
 * @param further privileged logical fields of the features, in addition to those of every model
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
  for (const field of [...privilegedFields, ...PROVIDER_ID_FIELDS, ...MFA_FIELDS, ...further])
    add(field)
  for (const logical of Object.keys(fields.columns)) if (logical.endsWith('Verified')) add(logical)
  for (const name of [...rowIds, '__proto__', 'constructor', 'prototype']) names.add(fold(name))
  return (name) => names.has(fold(name)) || fold(name).endsWith('verified')
}

/**
 * Returns a function that picks the allowed members of a body.
 * @throws ConfigError if a privileged name is allowed
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
  /** Keys of the app's own OAuth providers, whose `<key>Id` fields are privileged too. */
  readonly providers?: readonly string[]
}

/**
 * Allowlist against mass assignment, for hand-written sign-up routes. Returns a function that picks
 * the allowed members of a body. Privileged fields (id, password hash, flags, `…_verified`, token
 * version, provider ids, second factors, time stamps) can never be allowed, neither by logical nor by column name.
 * @throws ConfigError at set-up if a privileged name is allowed
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
