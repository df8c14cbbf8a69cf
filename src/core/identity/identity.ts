import { BadRequestError } from '../../errors.js'
import type { Row, Users } from '../users/users.js'
import { candidates, canonicalValue, lookupForm, malformedValue } from './canonical.js'

/** Finds users by what they type to sign in. */
export interface Identity {
  /** Logical names, in order of precedence. */
  readonly login: readonly string[]
  /** Logical name of the factor that recovers an account, or null. */
  readonly recovery: string | null
  /** The user, with as many look-ups for a known as for an unknown identifier. */
  find(identifier: string): Promise<Row | null>
  /** The user whose field has the canonical value. */
  findBy(field: string, value: string): Promise<Row | null>
  /**
   * The first login field whose value is another account's value of a different login field, or null. Such a value would sign
   * somebody in to the wrong account: a username that is another user's phone number, for example.
   * @param own the account itself
   */
  shadowing(values: Readonly<Record<string, unknown>>, own?: Row): Promise<string | null>
}

export function createIdentity(
  login: readonly string[],
  recovery: string | null,
  users: Users,
): Identity {
  const findBy = async (field: string, value: string) => {
    const row = await users.findBy(field, value)
    // A database whose collation folds case or trailing spaces finds more than was asked for.
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

    async shadowing(values, own) {
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

/** A stored value in canonical form; what an app stored otherwise is taken as it is. */
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

/** Fields that name somebody: stored in their one canonical form, whether they log in or not. */
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
    // PostgreSQL has no NUL in texts; the others would store what nobody can see.
    if (typeof value === 'string' && value.includes('\0'))
      throw new BadRequestError(`"${name}" has a character that is not allowed`)
  }
  return values
}
