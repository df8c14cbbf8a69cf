import type { UserValues } from '../../ports/user-store.js'
import type { Row, Users } from '../users/users.js'

const maxAttempts = 5

/**
 * Writes `values` in one statement, only while the credential and `fields` are what they are in `user`: what was there, or
 * null when they have moved on. A hash that a sign-in replaced for the same password is no other credential.
 * @param isSame whether the credential of a row is still that of `user`. Default: their epochs are the same
 */
export async function updateIfUnchanged(
  users: Users,
  user: Row,
  fields: readonly string[],
  valuesOf: (row: Row) => UserValues | Promise<UserValues>,
  isSame?: (row: Row) => boolean,
): Promise<Row | null> {
  const id = users.idOf(user)
  const epoch = users.epochOf(user)
  const isStill = isSame ?? ((row) => users.epochOf(row) === epoch)
  const held = Object.fromEntries(fields.map((field) => [field, users.read(user, field) ?? null]))
  const isHeld = (row: Row) =>
    fields.every((field) => (users.read(row, field) ?? null) === held[field])
  let row: Row | null = user
  for (let attempt = 0; attempt < maxAttempts && row; attempt++) {
    const values = await valuesOf(row)
    if (Object.keys(values).length === 0) return row
    if (await users.compareAndSet(id, { ...users.credentialOf(row), ...held }, values))
      return users.changed(row, values)
    row = await users.findById(id)
    if (!row || !users.isActive(row) || !isStill(row) || !isHeld(row)) return null
  }
  return null
}
