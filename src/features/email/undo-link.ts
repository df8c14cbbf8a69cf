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
  /** Sends a password reset link. */
  readonly offerReset: (user: Row) => Promise<void>
}

/**
 * Undoes a provider link that the user didn't make. Removes all recently made links, and ends all
 * sessions and tokens, because whoever made the link was signed in.
 * @throws TokenInvalidOrUsedError
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
