import type { FastifyRequest } from 'fastify'
import type { Row } from '../users/users.js'

/**
 * Messages that let sign-up respond the same whether or not an account exists (OWASP: user
 * enumeration).
 */
export interface SignUpMessages {
  /** Fields whose values are not public. */
  readonly fields: readonly string[]
  /**
   * Reference (`Users`) of the account whose previous address this is, if it is still reserved;
   * otherwise null. The account may have been deleted.
   * @throws UnavailableError
   */
  reservedFor(email: string): Promise<string | null>
  /** Called when someone tries to register with a reserved address. Must not wait. */
  reservedAddress(request: FastifyRequest, email: string): void
  /** Called after a registration. Must not wait. */
  sendVerification(request: FastifyRequest, user: Row): void
  /** Called when someone tries to register with a value of another account. Must not wait. */
  existingAccount(request: FastifyRequest, field: string, value: string): void
}
