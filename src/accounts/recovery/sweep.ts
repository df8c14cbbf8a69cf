import type { FastifyRequest } from 'fastify'
import type { AllLinks } from '../oauth/links.js'
import type { Row } from '../users.js'
import type { Outbox } from './factor.js'

/**
 * Takes the links away that do not stand in the row, after the row was written: what was done stands, so an outage of their
 * table is no answer to it, and they are taken away as soon as it is over. Never rejects.
 */
export async function sweepLinks(links: AllLinks, outbox: Outbox, request: FastifyRequest, user: Row): Promise<void> {
  try {
    await links.detachAll(user)
  } catch {
    outbox.alert(request, () => links.detachAll(user))
  }
}
