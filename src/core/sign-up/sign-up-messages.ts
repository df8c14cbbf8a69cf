import type { FastifyRequest } from 'fastify'
import type { Row } from '../users/users.js'

/** Messages that let sign-up answer the same whether an address is known or not (OWASP: user enumeration). */
export interface SignUpMessages {
  /** Fields whose values are not public. */
  readonly fields: readonly string[]
  /** Whether the address is held for an account that it belonged to. @throws UnavailableError */
  isReserved(email: string): Promise<boolean>
  /** Somebody has tried to register with a reserved address. Must not wait. */
  reservedAddress(request: FastifyRequest, email: string): void
  /** Somebody has registered. Must not wait. */
  sendVerification(request: FastifyRequest, user: Row): void
  /** Somebody has tried to register with a value that is another account's. Must not wait. */
  existingAccount(request: FastifyRequest, field: string, value: string): void
}
