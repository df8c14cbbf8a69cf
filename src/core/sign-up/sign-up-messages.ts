import type { FastifyRequest } from 'fastify'
import type { Row } from '../users/users.js'

/** Messages that let sign-up answer the same whether an address is known or not (OWASP: user enumeration). */
export interface SignUpMessages {
  /** Fields whose values are not public. */
  readonly fields: readonly string[]
  /** Encoded id of the user for whom a previous address is reserved, or null. @throws UnavailableError */
  reservedFor(email: string): Promise<string | null>
  /** Somebody has tried to register with a reserved address. Must not wait. */
  reservedAddress(request: FastifyRequest, email: string): void
  /** Somebody has registered. Must not wait. */
  sendVerification(request: FastifyRequest, user: Row): void
  /** Somebody has tried to register with a value that is another account's. Must not wait. */
  existingAccount(request: FastifyRequest, field: string, value: string): void
}
