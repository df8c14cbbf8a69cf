import type { Principal } from '../../ports/transport.js'
import { jsonUserId } from './user-id.js'
import type { Row, Users } from './users.js'

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** What of a user may leave in an answer, picked by name: a new column can never leak. */
export const accountView = (users: Users, row: Row) => ({
  id: jsonUserId(users.idOf(row)),
  email: text(users.read(row, 'email')),
  username: text(users.read(row, 'username')),
})

/** Answer of `GET /me`. */
export function meView(users: Users, principal: Principal) {
  const { id, email, username } = accountView(users, principal.user)
  return {
    user_id: id,
    username,
    email,
    is_superuser: principal.isSuperuser,
    scopes: [...principal.scopes],
    via: principal.transport,
  }
}
