import { ConfigError } from '../errors.js'
import { MFA_FIELDS, PROVIDER_ID_FIELDS } from '../ports/user-store.js'
import { checkField } from '../sql/names.js'

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

/** A flag such as `emailVerified`, stored as the time at which it became true. Null is false. */
export interface TimestampColumn<Column extends string = string> {
  readonly column: Column
  readonly as: 'timestamp'
}

/**
 * Separates timestamp columns from the others: `{ column: 'email_verified_at', as: 'timestamp' }`.
 * @throws ConfigError for an invalid mapping, or a field that is not a verification flag
 */
export function timestampColumns(
  columns: Readonly<Record<string, unknown>> = {},
  option = 'columns',
): {
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
        `"${option}.${field}" must be a column's name, or, for "emailVerified" and the like, { column, as: 'timestamp' }`,
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
