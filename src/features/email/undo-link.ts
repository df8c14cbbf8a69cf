import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { Outbox } from '../../core/delivery/outbox.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { Row, Users } from '../../core/users/users.js'

interface Dependencies {
  readonly users: Users
  readonly redeem: Redeem
  readonly outbox: Outbox
  readonly replaceCredential: ReplaceCredential
  /** Sends what sets another password. */
  readonly offerReset: (user: Row) => Promise<void>
}

/**
 * Takes back a provider link that the user did not make: every link that was made lately goes, and every session and token
 * ends, since its creator was signed in. @throws TokenInvalidOrUsedError
 */
export type UndoLink = (request: FastifyRequest, token: string) => Promise<void>

export const createUndoLink =
  ({ users, redeem, outbox, replaceCredential, offerReset }: Dependencies): UndoLink =>
  async (request, token) => {
    await redeem('unlink', token, {
      work: (user) =>
        replaceCredential(user, {
          request,
          values: (row) => ({ hashedPassword: users.hashOf(row) }),
          // Whoever made the link may know the password.
          notify: (row) => outbox.alert(request, () => offerReset(row)),
        }),
    })
  }
