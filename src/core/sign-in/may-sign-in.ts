import { ForbiddenError, InternalError } from '../../errors.js'
import type { Row, Users } from '../users/users.js'

const isUsableId = (id: unknown): boolean =>
  (typeof id === 'string' && id !== '') ||
  typeof id === 'bigint' ||
  (typeof id === 'number' && Number.isFinite(id))

/**
 * Checks that a session or tokens may be created for the row. Those of a disabled account would
 * become valid once it is enabled, and those of a row without an id would have no user.
 * @throws InternalError for a value that is not a row with an id; ForbiddenError (403) for a
 * disabled account
 */
export function assertMaySignIn(users: Users, user: Row): void {
  if (typeof user !== 'object' || user === null || !isUsableId(users.idOf(user))) {
    throw new InternalError(
      'The user is not a row of the user store: its id is not a string, a number or a bigint',
    )
  }
  if (!users.isActive(user)) throw new ForbiddenError()
}
