import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { Outbox } from '../../core/delivery/outbox.js'
import type { Redeem } from '../../core/one-time-tokens/redeem.js'
import type { Row, Users } from '../../core/users/users.js'
import { TokenInvalidOrUsedError } from '../../errors.js'
import type { EmailChange } from './email-change.js'

interface Dependencies {
  readonly users: Users
  readonly redeem: Redeem
  readonly outbox: Outbox
  readonly replaceCredential: ReplaceCredential
  /** Sends a password reset link. */
  readonly offerReset: (user: Row) => Promise<void>
}

/**
 * Redeems a token of a message about a change, which undoes it. Returns what was undone.
 * @throws TokenInvalidOrUsedError
 */
export async function undoChange(
  { emailChange, undoLink }: { emailChange: EmailChange | null; undoLink: UndoLink },
  request: FastifyRequest,
  token: string,
): Promise<'link' | 'email'> {
  try {
    await undoLink(request, token)
    return 'link'
  } catch (error) {
    if (!emailChange || !(error instanceof TokenInvalidOrUsedError)) throw error
  }
  await emailChange.revert(request, token)
  return 'email'
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
          // The same hash: an empty update would skip the compare-and-set.
          values: (row) => ({ hashedPassword: users.hashOf(row) }),
          // Whoever made the link may know the password.
          notify: (row) => outbox.alert(request, () => offerReset(row)),
        }),
    })
  }
