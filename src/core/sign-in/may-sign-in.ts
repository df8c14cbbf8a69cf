import { ForbiddenError, InternalError } from '../../errors.js'
import type { Row, Users } from '../users/users.js'

const isUsableId = (id: unknown): boolean =>
  (typeof id === 'string' && id !== '') ||
  typeof id === 'bigint' ||
  (typeof id === 'number' && Number.isFinite(id))

/**
 * Whether something may be established for the row, by whatever code: a session or tokens of a disabled account would come
 * to life with it, and those of a row without an id would belong to nobody.
 * @throws InternalError for what is no row with an id; ForbiddenError (403) for a disabled account
 */
export function assertMaySignIn(users: Users, user: Row): void {
  if (typeof user !== 'object' || user === null || !isUsableId(users.idOf(user))) {
    throw new InternalError(
      'The user is not a row of the user store: its id is not a string, a number or a bigint',
    )
  }
  if (!users.isActive(user)) throw new ForbiddenError()
}
