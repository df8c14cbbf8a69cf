import type { FastifyRequest } from 'fastify'
import type { UserValues } from '../../ports/user-store.js'
import type { Outbox } from '../delivery/outbox.js'
import type { Row } from '../users/users.js'

/**
 * Takes the links away that do not stand in the row, after the row was written: what was done stands, so an outage of their
 * table is no answer to it, and they are taken away as soon as it is over. Never rejects.
 */
export async function sweepLinks(
  links: SignInMethods,
  outbox: Outbox,
  request: FastifyRequest,
  user: Row,
): Promise<void> {
  try {
    await links.detachAll(user)
  } catch {
    outbox.alert(request, () => links.detachAll(user))
  }
}

/** Ways to sign in beside the password (links to providers), for whoever takes them away. */
export interface SignInMethods {
  /** What a row without any of them holds. */
  readonly cleared: UserValues
  /** Takes away what does not stand in the row. */
  detachAll(user: Row): Promise<void>
}
