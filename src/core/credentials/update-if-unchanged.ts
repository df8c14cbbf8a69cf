import type { UserValues } from '../../ports/user-store.js'
import type { Row, Users } from '../users/users.js'

const maxAttempts = 5

/**
 * Writes `values` in one statement, only while the credential and `fields` are what they are in `user`: what was there, or
 * null when they have moved on. A hash that a sign-in replaced for the same password is no other credential.
 */
export async function updateIfUnchanged(
  users: Users,
  user: Row,
  fields: readonly string[],
  valuesOf: (row: Row) => UserValues,
): Promise<Row | null> {
  const id = users.idOf(user)
  const epoch = users.epochOf(user)
  const held = Object.fromEntries(fields.map((field) => [field, users.read(user, field) ?? null]))
  let row: Row | null = user
  for (let attempt = 0; attempt < maxAttempts && row; attempt++) {
    const values = valuesOf(row)
    if (Object.keys(values).length === 0) return row
    if (await users.compareAndSet(id, { ...users.credentialOf(row), ...held }, values))
      return users.changed(row, values)
    row = await users.findById(id)
    const moved = row && (!users.isActive(row) || users.epochOf(row) !== epoch)
    if (
      !row ||
      moved ||
      fields.some((field) => (users.read(row as Row, field) ?? null) !== held[field])
    )
      return null
  }
  return null
}
