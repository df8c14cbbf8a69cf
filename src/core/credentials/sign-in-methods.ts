import type { UserValues } from '../../ports/user-store.js'
import type { Row } from '../users/users.js'

/** Ways to sign in beside the password (links to providers), for whoever takes them away. */
export interface SignInMethods {
  /** What a row without any of them holds. */
  readonly cleared: UserValues
  /** Takes away what does not stand in the row. */
  detachAll(user: Row): Promise<void>
  /**
   * Takes away what was added so lately that it can be undone: whoever knew the password may have added it. Returns whether
   * there was any.
   */
  detachRecent(user: Row): Promise<boolean>
  /** Whether anything is ever added so that it can be undone. */
  readonly undoable: boolean
}
