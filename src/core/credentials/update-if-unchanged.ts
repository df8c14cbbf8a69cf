import type { UserValues } from '../../ports/user-store.js'
import type { Row, Users } from '../users/users.js'

const maxAttempts = 5

/**
 * Compare-and-set: writes the values in one statement, only if the credential and `fields` still
 * equal those of `user`. Returns the row after the write, or null if they have changed. A rehash of
 * the same password does not count as a change.
 * @param isSame whether a row still has the credential of `user`. Default: the epochs are equal
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
  const expected = Object.fromEntries(
    fields.map((field) => [field, users.read(user, field) ?? null]),
  )
  const hasExpected = (row: Row) =>
    fields.every((field) => (users.read(row, field) ?? null) === expected[field])
  let row: Row | null = user
  for (let attempt = 0; attempt < maxAttempts && row; attempt++) {
    const values = await valuesOf(row)
    if (Object.keys(values).length === 0) return row
    if (await users.compareAndSet(id, { ...users.credentialOf(row), ...expected }, values))
      return users.changed(row, values)
    row = await users.findById(id)
    if (!row || !users.isActive(row) || !isStill(row) || !hasExpected(row)) return null
  }
  return null
}
