import type { UserValues } from '../../ports/user-store.js'
import type { Row } from '../users/users.js'

/** Ways to sign in besides the password (links to providers), and how to remove them. */
export interface SignInMethods {
  /** What a row without any of them holds. */
  readonly cleared: UserValues
  /** Removes what is stored outside the row. */
  detachAll(user: Row): Promise<void>
  /** Removes what was added so recently that it can be undone: an attacker with the password may have added it. */
  detachRecent(user: Row): Promise<void>
  /** Whether anything is ever added so that it can be undone. */
  readonly undoable: boolean
}
