import type { FastifyRequest } from 'fastify'
import type { DeliveryIntent } from '../../ports/delivery-channel.js'

/** Where what is to be sent goes: off the path of the answer. No method waits or throws. */
export interface Outbox {
  /** Does the work after the answer, again when it fails. */
  defer(request: FastifyRequest, work: () => Promise<void>): void
  /** As `defer`, in a place that strangers' requests do not fill: for what tells that an account may be in other hands. */
  alert(request: FastifyRequest, work: () => Promise<void>): void
  send(intent: DeliveryIntent): void
}

/** Counts a message against the budget of its recipient; false beyond it. */
export type RecipientLimit = (kind: DeliveryIntent['kind'], recipient: string) => Promise<boolean>
