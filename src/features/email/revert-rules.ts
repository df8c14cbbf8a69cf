import type { Claim } from '../../core/one-time-tokens/tokens.js'
import type { Row, Users } from '../../core/users/users.js'
import type { Reservations } from './address-reservations.js'

interface Dependencies {
  readonly users: Users
  readonly reservations: Reservations
  /** Whether the account has a second factor, or a passkey that could be one. */
  readonly hasSecondFactor: (user: Row) => Promise<boolean>
}

/** Whether the token of a former address can still undo the change. */
export type MayRevert = (user: Row, claim: Claim) => Promise<boolean>

export const createMayRevert =
  ({ users, reservations, hasSecondFactor }: Dependencies): MayRevert =>
  async (user, { next, wasVerified }) => {
    // A former address that was never verified may be anyone's mailbox. After the revert, a
    // password reset from there would remove the second factor of whoever verified the present one.
    const isStranger = wasVerified !== true && users.flagOf(user, 'emailVerified', false)
    if (isStranger && (await hasSecondFactor(user))) return false
    // Without `tokenVersion`, a revert doesn't change the epoch, so tokens of addresses left later
    // would stay valid. Those addresses are no longer reserved, which ends their tokens.
    if (users.has('tokenVersion')) return true
    return (await reservations.of(user)).some(({ email }) => email === next)
  }
