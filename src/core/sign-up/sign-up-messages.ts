import type { FastifyRequest } from 'fastify'
import type { Row } from '../users/users.js'

/** Registration that does not tell whether an address is known. */
export interface SignUpMessages {
  /** Fields whose values are not public. */
  readonly fields: readonly string[]
  /** Whether the address is held for an account that it belonged to. */
  isHeld(email: string): Promise<boolean>
  /** As `isHeld`, but rejects in an outage, where `isHeld` says no. */
  isReserved(email: string): Promise<boolean>
  /** Somebody has tried to register with a held address. Must not wait. */
  held(request: FastifyRequest, email: string): void
  /** Somebody has registered. Must not wait. */
  welcome(request: FastifyRequest, user: Row): void
  /** Somebody has tried to register with a value that is another account's. Must not wait. */
  known(request: FastifyRequest, field: string, value: string): void
}
