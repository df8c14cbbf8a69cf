import { canonicalValue, malformedValue } from '../../core/identity/canonical.js'
import { type Identity, readCanonical } from '../../core/identity/identity.js'
import type { Row, Users } from '../../core/users/users.js'

/** The factor that recovers an account: its logical field, and how its values are read. */
export interface Factor {
  readonly field: string
  /** Field that says whether it is verified; null where the model has none. */
  readonly verifiedField: string | null
  /** Whether the user's factor is verified; false where the model does not say. */
  isVerified(user: Row): boolean
  /** @throws BadRequestError for what is no value of the factor */
  parse(text: string): string
  find(value: string): Promise<Row | null>
  /** The row's value in canonical form, as tokens are bound to it and messages go to it; null if absent. */
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
