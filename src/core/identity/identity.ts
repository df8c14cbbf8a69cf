import { BadRequestError } from '../../errors.js'
import type { Row, Users } from '../users/users.js'
import { candidates, canonicalValue, lookupForm, malformedValue } from './canonical.js'

/** Finds users by the identifier that they sign in with. */
export interface Identity {
  /** Logical names, in order of precedence. */
  readonly login: readonly string[]
  /** Logical name of the recovery field, or null. */
  readonly recovery: string | null
  /** The user. Known and unknown identifiers take the same number of look-ups. */
  find(identifier: string): Promise<Row | null>
  /** The user whose field has the canonical value. */
  findBy(field: string, value: string): Promise<Row | null>
  /**
   * The first login field whose value is another account's value of a different login field, or
   * null. Such a value would sign a user in to the wrong account: a username that is another user's
   * phone number, for example.
   * @param own the account itself, which is ignored
   */
  conflictingField(values: Readonly<Record<string, unknown>>, own?: Row): Promise<string | null>
}

export function createIdentity(
  login: readonly string[],
  recovery: string | null,
  users: Users,
): Identity {
  const findBy = async (field: string, value: string) => {
    const row = await users.findBy(field, value)
    // A collation that ignores case or trailing spaces finds more than the exact value.
    const stored = row && users.read(row, field)
    return typeof stored === 'string' && lookupForm(field, stored) === value ? row : null
  }

  return {
    login,
    recovery,
    findBy,
    async find(identifier) {
      const rows = await Promise.all(
        candidates(login, identifier).map(([field, value]) => findBy(field, value)),
      )
      return rows.find((row) => row !== null) ?? null
    },

    async conflictingField(values, own) {
      const pairs = login.flatMap((field) => {
        const value = values[field]
        if (typeof value !== 'string') return []
        return candidates(login, value).flatMap(([other, form]) =>
          other === field ? [] : [{ field, other, form }],
        )
      })
      const found = await Promise.all(
        pairs.map(async ({ field, other, form }) => {
          const row = await findBy(other, form)
          return row && (!own || users.idOf(row) !== users.idOf(own)) ? field : null
        }),
      )
      return found.find((field) => field !== null) ?? null
    },
  }
}

/** A stored value in canonical form. A value that has none is returned unchanged. */
export function readCanonical(
  users: Users,
  { login }: Identity,
  user: Row,
  field: string,
): string | null {
  const stored = users.read(user, field)
  return typeof stored === 'string' && stored !== ''
    ? (canonicalValue(login, field, stored) ?? stored)
    : null
}

/** Fields that identify a user: stored in canonical form even if they are not login fields. */
const names = ['email', 'username', 'phone']

export function canonicalValues(
  { login, recovery }: Identity,
  picked: Record<string, unknown>,
): Record<string, unknown> {
  const values = { ...picked }
  for (const field of new Set([...login, ...names, ...(recovery === null ? [] : [recovery])])) {
    const value = picked[field]
    if (!login.includes(field) && (value === undefined || value === null)) continue
    const canonical = typeof value === 'string' ? canonicalValue(login, field, value) : null
    if (canonical === null) throw malformedValue(field)
    values[field] = canonical
  }
  for (const [name, value] of Object.entries(values)) {
    // PostgreSQL refuses NUL in text; other databases would store an invisible character.
    if (typeof value === 'string' && value.includes('\0'))
      throw new BadRequestError(`"${name}" has a character that is not allowed`)
  }
  return values
}
