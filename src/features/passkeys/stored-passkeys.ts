import { storedTime } from '../../core/users/stored-time.js'
import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { Passkey, PasskeyStore } from '../../ports/passkey-store.js'

/** Tolerated clock skew between the app and its database. */
const clockToleranceMs = 60_000

/** The passkeys of the app, with time limits. Driver errors become UnavailableError (503). */
export interface StoredPasskeys {
  readonly store: Omit<PasskeyStore, 'listByUser' | 'verifySchema'>
  /** The passkeys of the account, oldest first. */
  list(user: Row): Promise<Passkey[]>
  has(user: Row): Promise<boolean>
  /** Whether the passkey is of this account. */
  isOf(user: Row, passkey: Passkey): boolean
}

export function createStoredPasskeys(
  users: Users,
  store: PasskeyStore,
  milliseconds: number,
): StoredPasskeys {
  const deadline = createDeadline(milliseconds)
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    withDeadline(deadline, call, 'The store of passkeys', unavailableError)

  /**
   * Compares ids with their types, and times: where a user was deleted without their passkeys,
   * another account may have the id now.
   */
  const isOf = (user: Row, { userId, createdAt }: Passkey): boolean =>
    encodeUserId(userId) === encodeUserId(users.idOf(user)) &&
    !(storedTime(createdAt) + clockToleranceMs < storedTime(users.read(user, 'createdAt')))

  const list = async (user: Row) =>
    (await bounded(() => store.listByUser(users.idOf(user)))).filter((each) => isOf(user, each))

  return {
    store: {
      create: (passkey) => bounded(() => store.create(passkey)),
      findByCredentialId: (id) => bounded(() => store.findByCredentialId(id)),
      compareAndSetCounter: (id, expected, use) =>
        bounded(() => store.compareAndSetCounter(id, expected, use)),
      rename: (userId, id, name) => bounded(() => store.rename(userId, id, name)),
      delete: (userId, id, keepLast) => bounded(() => store.delete(userId, id, keepLast)),
      deleteAllOfUser: (userId) => bounded(() => store.deleteAllOfUser(userId)),
    },
    list,
    has: async (user) => (await list(user)).length > 0,
    isOf,
  }
}
