import type { UserValues } from '../../ports/user-store.js'
import type { Row } from '../users/users.js'

/** Ways to sign in besides the password (links to providers, passkeys), and how to remove them. */
export interface SignInMethods {
  /** Values of a row that has no such method. */
  readonly cleared: UserValues
  /**
   * Values of a row without second factors. They are written only when a verified owner takes over
   * an account that someone else created, or when the account is deleted. Who merely has access to
   * the mailbox must not get rid of the second factor.
   */
  readonly clearedFactors: UserValues
  /** Whether the user can sign in with one of them. */
  isUsable(user: Row): Promise<boolean>
  /** Removes the methods that are stored outside the row. */
  detachAll(user: Row): Promise<void>
  /** Removes the second factors that are stored outside the row, with `clearedFactors`. */
  detachFactors(user: Row): Promise<void>
  /**
   * Removes methods that were added within the undo period: an attacker with the password may have
   * added them.
   */
  detachRecent(user: Row): Promise<void>
  /** Whether any method can be undone after it was added. */
  readonly undoable: boolean
}

/** What services read of all methods together. */
export type AllMethods = Omit<SignInMethods, 'isUsable'>
