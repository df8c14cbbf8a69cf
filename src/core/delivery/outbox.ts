import type { FastifyRequest } from 'fastify'
import type { DeliveryIntent } from '../../ports/delivery-channel.js'

/** Sends messages after the response. No method waits or throws. */
export interface Outbox {
  /** Runs the work after the response and retries it when it fails. */
  defer(request: FastifyRequest, work: () => Promise<void>): void
  /**
   * Like `defer`, for messages that warn of an account takeover. It has its own queue, so that
   * other people's requests cannot crowd them out.
   */
  alert(request: FastifyRequest, work: () => Promise<void>): void
  send(intent: DeliveryIntent): void
}

/** Counts a message against the recipient's limit. Returns false when it is exceeded. */
export type RecipientLimit = (kind: DeliveryIntent['kind'], recipient: string) => Promise<boolean>
