import { checkObject, checkStrings, fail } from '../../lib/option-checks.js'
import { CREDENTIAL_FIELDS, type UserFields } from '../../ports/user-store.js'

/** What `GET /me` returns. */
export interface AccountOptions {
  /**
   * Further members of the `GET /me` response: logical fields (returned in snake_case) or columns
   * of your own (returned as named). Columns that hold credentials are refused at start-up.
   * @defaultValue `[]`
   */
  readonly publicFields?: readonly string[] | undefined
}

/** A column that `GET /me` returns. */
interface PublicField {
  /** Name in the response. */
  readonly name: string
  /** Name in the row. */
  readonly column: string
}

const snakeCase = (field: string) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Members that the response always has. */
const fixed = [
  'id',
  'user_id',
  'username',
  'email',
  'email_verified',
  'has_password',
  'is_superuser',
  'scopes',
  'via',
]

export function resolveAccount(
  options: AccountOptions = {},
  { columns }: UserFields,
): readonly PublicField[] {
  checkObject('account', options, ['publicFields'])
  const secrets = new Set(
    CREDENTIAL_FIELDS.flatMap((field) => [field, snakeCase(field), columns[field] ?? field]),
  )
  return checkStrings('account.publicFields', options.publicFields, []).map((field) => {
    if (secrets.has(field))
      fail(`"account.publicFields" names "${field}", which holds a credential; remove it`)
    const name = columns[field] === undefined ? field : snakeCase(field)
    if (fixed.includes(name))
      fail(`"account.publicFields" names "${field}", which GET /me returns anyway; remove it`)
    return { name, column: columns[field] ?? field }
  })
}
