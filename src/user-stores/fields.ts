import { ConfigError } from '../errors.js'
import { MFA_FIELDS, PROVIDER_ID_FIELDS } from '../ports/user-store.js'

/** Logical fields that a SQL adapter maps by default. Its table must have them, unlike `MFA_FIELDS`. */
export const CORE_FIELDS: readonly string[] = [
  'id',
  'email',
  'username',
  'hashedPassword',
  'isActive',
  'isSuperuser',
  'emailVerified',
  'tokenVersion',
  'createdAt',
  'updatedAt',
]

/** Every logical field that the plugin knows, except `phone` and `phoneVerified`. */
export const STANDARD_FIELDS: readonly string[] = [
  ...CORE_FIELDS,
  ...PROVIDER_ID_FIELDS,
  'oauthProvider',
  'oauthCreatedAt',
  'oauthUpdatedAt',
  ...MFA_FIELDS,
]

const KNOWN = new Set([...STANDARD_FIELDS, 'phone', 'phoneVerified'])

/** Whether `field` is a logical field, and so never a column of the app. */
export const isStandardField = (field: string): boolean => KNOWN.has(field)

/**
 * Whether `field` has the form of a user id at a provider: `googleId`, or `acmeId` for a provider
 * of the app.
 */
export const isProviderIdField = (field: string): boolean => /^[a-z]\w*Id$/.test(field)

/** The default column of a logical field: `hashedPassword` → `hashed_password`. */
const snakeCase = (field: string): string =>
  field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * Whether `name` is a valid column name. Stricter than any database: the query builder quotes
 * names, but reads a dot as a separator of table and column. Other characters more likely mean an
 * attack.
 */
export const isIdentifier = (name: string): boolean =>
  /^[\p{L}_][\p{L}\p{M}\p{N}_$ -]{0,127}$/u.test(name) && !(name in Object.prototype)

const quoted = (name: unknown): string =>
  JSON.stringify(typeof name === 'string' ? name.slice(0, 40) : typeof name)

/**
 * Checks a table name, with or without a schema.
 * @throws ConfigError
 */
export function checkTable(name: unknown): void {
  const plausible =
    typeof name === 'string' && name.split('.').every(isIdentifier) && name.split('.').length <= 3
  // The query builder reads "users as u" as an alias.
  if (plausible && !/\sas\s/i.test(name)) return
  throw new ConfigError(
    `"table" must be a table's name like "users" or "app.users", got ${quoted(name)}; quotes, ";" and line breaks do not belong there`,
  )
}

/**
 * Checks the form of a logical field.
 * @throws ConfigError
 */
export function checkField(option: string, field: unknown): void {
  if (typeof field === 'string' && /^[a-zA-Z]\w{0,63}$/.test(field) && isIdentifier(field)) return
  throw new ConfigError(
    `"${option}" must list logical names like "hashedPassword", got ${quoted(field)}`,
  )
}

/**
 * Maps logical fields to columns: those in `assumed` to their snake_case names, changed by
 * `columns`. There, null removes a field that the model lacks. The result has no prototype, so that
 * `constructor` isn't a column.
 * @throws ConfigError that names the option to change
 */
export function resolveColumns(
  assumed: readonly string[],
  columns: Readonly<Record<string, string | null | undefined>> = {},
): Readonly<Record<string, string>> {
  const resolved: Record<string, string> = Object.create(null)
  for (const field of assumed) resolved[field] = snakeCase(field)
  for (const [field, column] of Object.entries(columns)) {
    checkField('columns', field)
    if (column === undefined) continue
    if (column === null) {
      if (field === 'id')
        throw new ConfigError('"columns.id" cannot be null; name the column of the primary key')
      delete resolved[field]
      continue
    }
    if (typeof column !== 'string' || !isIdentifier(column)) {
      throw new ConfigError(
        `"columns.${field}" must be a column's name like "${snakeCase(field)}" or null, got ${quoted(column)}; quotes, ";" and line breaks do not belong there`,
      )
    }
    resolved[field] = column
  }
  const owners = new Map<string, string>()
  for (const [field, column] of Object.entries(resolved)) {
    const owner = owners.get(column.toLowerCase())
    if (owner !== undefined) {
      throw new ConfigError(
        `"columns.${owner}" and "columns.${field}" are both the column "${column}"; give each its own, or set one to null`,
      )
    }
    owners.set(column.toLowerCase(), field)
  }
  return Object.freeze(resolved)
}

/**
 * Separates timestamp columns from the others: `{ column: 'email_verified_at', as: 'timestamp' }`.
 * @throws ConfigError for an invalid mapping, or a field that is not a verification flag
 */
export function timestampColumns(columns: Readonly<Record<string, unknown>> = {}): {
  names: Record<string, string | null | undefined>
  timestamps: ReadonlySet<string>
} {
  const names: Record<string, string | null | undefined> = Object.create(null)
  const timestamps = new Set<string>()
  for (const [field, given] of Object.entries(columns)) {
    const isObject = typeof given === 'object' && given !== null
    names[field] = (isObject ? (given as { column?: unknown }).column : given) as string | null
    if (!isObject) continue
    const isTimestamp =
      (given as { as?: unknown }).as === 'timestamp' && typeof names[field] === 'string'
    if (!isTimestamp || !field.endsWith('Verified')) {
      throw new ConfigError(
        `"columns.${field}" must be a column's name, or, for "emailVerified" and the like, { column, as: 'timestamp' }`,
      )
    }
    timestamps.add(field)
  }
  return { names, timestamps }
}

/**
 * The fields that identify one user: login fields, recovery fields (`phone` if there is
 * `phoneVerified`), ids at providers (by `isProvider`), and those in `further`.
 */
export function uniqueFields(
  fields: readonly string[],
  further: readonly string[],
  isProvider: (field: string) => boolean = isProviderIdField,
): readonly string[] {
  const present = new Set(fields)
  const unique = new Set<string>()
  for (const field of fields) {
    const isLogin = field === 'email' || field === 'username' || field === 'phone'
    if (isLogin || isProvider(field) || present.has(`${field}Verified`)) unique.add(field)
  }
  for (const field of further) {
    checkField('unique', field)
    if (!isStandardField(field) || present.has(field)) unique.add(field)
  }
  unique.delete('id')
  return Object.freeze([...unique])
}
