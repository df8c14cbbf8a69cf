import type { Principal } from '../../ports/transport.js'
import { rowOf } from '../principal/principal.js'
import { jsonUserId } from './user-id.js'
import type { Row, Users } from './users.js'

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** User data for responses, picked by name so that a new column can't leak. */
export const accountView = (users: Users, row: Row) => ({
  id: jsonUserId(users.idOf(row)),
  email: text(users.read(row, 'email')),
  username: text(users.read(row, 'username')),
})

/** The value in a form that JSON can represent. */
const jsonValue = (value: unknown): unknown =>
  typeof value === 'bigint'
    ? Number.isSafeInteger(Number(value))
      ? Number(value)
      : String(value)
    : (value ?? null)

/**
 * Response of `GET /me`.
 * @param further the app's own columns, by their names in the response and in the row
 */
export function meView(
  users: Users,
  further: readonly { readonly name: string; readonly column: string }[],
  principal: Principal,
  isUsable: (hash: string | null) => boolean,
) {
  const row = rowOf(principal)
  const { id, email, username } = accountView(users, row)
  return {
    id,
    user_id: id,
    username,
    email,
    email_verified: users.has('emailVerified') ? principal.emailVerified : null,
    has_password: isUsable(users.hashOf(row)),
    is_superuser: principal.isSuperuser,
    scopes: [...principal.scopes],
    via: principal.transport,
    ...Object.fromEntries(
      further.map(({ name, column }) => [
        name,
        jsonValue((row as Record<string, unknown>)[column]),
      ]),
    ),
  }
}
