import { canonicalValue, malformedValue } from '../../core/identity/canonical.js'
import { type Identity, readCanonical } from '../../core/identity/identity.js'
import type { Row, Users } from '../../core/users/users.js'

/** The recovery field: its logical name, and how its values are read. */
export interface Factor {
  readonly field: string
  /** Field that says whether it is verified; null if the user model has none. */
  readonly verifiedField: string | null
  /** Whether the user's value is verified; false if the user model doesn't say. */
  isVerified(user: Row): boolean
  /** Returns the canonical form of a value. @throws BadRequestError for an invalid value */
  parse(text: string): string
  find(value: string): Promise<Row | null>
  /** The canonical value to which tokens are bound and messages are sent; null if absent. */
  read(user: Row): string | null
}

export function createFactor(identity: Identity, users: Users, field: string): Factor {
  const verifiedField = users.has(`${field}Verified`) ? `${field}Verified` : null
  return {
    field,
    verifiedField,
    isVerified: (user) => verifiedField !== null && users.flagOf(user, verifiedField, false),
    parse(text) {
      const value = canonicalValue(identity.login, field, text)
      if (value === null) throw malformedValue(field)
      return value
    },
    find: (value) => identity.findBy(field, value),
    read: (user) => readCanonical(users, identity, user, field),
  }
}
