import type { Principal } from '../../ports/transport.js'
import { rowOf } from '../principal/principal.js'
import { jsonUserId } from './user-id.js'
import type { Row, Users } from './users.js'

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** What of a user may leave in an answer, picked by name: a new column can never leak. */
export const accountView = (users: Users, row: Row) => ({
  id: jsonUserId(users.idOf(row)),
  email: text(users.read(row, 'email')),
  username: text(users.read(row, 'username')),
})

/** A value as JSON can say it. */
const jsonValue = (value: unknown): unknown =>
  typeof value === 'bigint'
    ? Number.isSafeInteger(Number(value))
      ? Number(value)
      : String(value)
    : (value ?? null)

/** Answer of `GET /me`. @param further columns of the app's, by their names in the answer and in the row */
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
