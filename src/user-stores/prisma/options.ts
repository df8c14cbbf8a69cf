import type { UserId } from '../../ports/user-store.js'
import type { TimestampColumn } from '../fields.js'

/** Options of `prismaUsers()`. */
export interface PrismaUsersOptions<Row extends object = Record<string, unknown>> {
  /**
   * Logical fields to fields of the model, where they differ from the logical names (`id`, `email`,
   * `hashedPassword`, …). `null` for a field that isn't what its name says. Fields of your own
   * providers (`acmeId`) exist once they are named here. `{ column, as: 'timestamp' }` maps a flag
   * to a `DateTime`.
   * @defaultValue the logical names that the model has
   */
  fields?: Partial<
    Record<string, (keyof Row & string) | null | TimestampColumn<keyof Row & string>>
  >
  /**
   * Further unique fields. Login fields, the recovery field and provider ids count as unique
   * anyway.
   * @defaultValue `[]`
   */
  unique?: readonly string[]
  /**
   * Makes the id of a new row where neither the database nor `@default` does.
   * @defaultValue none
   */
  generateId?: () => UserId
}
