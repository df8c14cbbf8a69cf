import type { FastifyRequest } from 'fastify'
import { BadRequestError } from '../../errors.js'
import type { DeliveryIntent } from '../../ports/delivery-channel.js'
import { canonicalValue, type Identity, malformedValue } from '../identity.js'
import type { Row, Users } from '../users.js'

/** Where what is to be sent goes: off the path of the answer. No method waits or throws. */
export interface Outbox {
  /** Does the work after the answer, again when it fails. */
  defer(request: FastifyRequest, work: () => Promise<void>): void
  /** As `defer`, in a place that strangers' requests do not fill: for what tells that an account may be in other hands. */
  alert(request: FastifyRequest, work: () => Promise<void>): void
  send(intent: DeliveryIntent): void
}

/** Counts a message against the budget of its recipient; false beyond it. */
export type RecipientBudget = (kind: DeliveryIntent['kind'], recipient: string) => Promise<boolean>

/** The factor that recovers an account: its logical field, and how its values are read. */
export interface Factor {
  readonly field: string
  /** Field that says whether it is verified; null where the model has none. */
  readonly verifiedField: string | null
  /** @throws BadRequestError for what is no value of the factor */
  parse(text: string): string
  find(value: string): Promise<Row | null>
  /** The row's value in canonical form, as tokens are bound to it and messages go to it; null where there is none. */
  read(user: Row): string | null
}

/** A stored value in canonical form; what an app stored otherwise is taken as it is. */
export function readCanonical(users: Users, { login }: Identity, user: Row, field: string): string | null {
  const stored = users.read(user, field)
  return typeof stored === 'string' && stored !== '' ? (canonicalValue(login, field, stored) ?? stored) : null
}

export function createFactor(identity: Identity, users: Users, field: string): Factor {
  return {
    field,
    verifiedField: users.has(`${field}Verified`) ? `${field}Verified` : null,
    parse(text) {
      const value = canonicalValue(identity.login, field, text)
      if (value === null) throw new BadRequestError(malformedValue(field))
      return value
    },
    find: (value) => identity.findBy(field, value),
    read: (user) => readCanonical(users, identity, user, field),
  }
}
