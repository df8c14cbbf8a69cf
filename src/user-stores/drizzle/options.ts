import type { UserId } from '../../ports/user-store.js'
import type { TimestampColumn } from '../fields.js'

/** Options of `drizzleUsers()`. */
export interface DrizzleUsersOptions<Row extends object = Record<string, unknown>> {
  /**
   * Logical fields to properties of the table object, where they differ from the logical names
   * (`id`, `email`, `hashedPassword`, …). `null` for a field that isn't what its name says. Fields
   * of your own providers (`acmeId`) exist once they are named here. `{ column, as: 'timestamp' }`
   * maps a flag to a time column.
   * @defaultValue the logical names that the table has
   */
  columns?: Partial<
    Record<string, (keyof Row & string) | null | TimestampColumn<keyof Row & string>>
  >
  /**
   * Further unique fields. Login fields, the recovery field and provider ids count as unique
   * anyway.
   * @defaultValue `[]`
   */
  unique?: readonly string[]
  /**
   * Makes the id of a new row where neither the database nor `$defaultFn` does.
   * @defaultValue none
   */
  generateId?: () => UserId
}
