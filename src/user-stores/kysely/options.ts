import type { UserId } from '../../ports/user-store.js'
import type { Dialect } from '../../sql/dialect.js'
import type { ValueOptions } from '../sql/values.js'

/** A flag such as `emailVerified`, stored as the time at which it became true. Null is false. */
export interface TimestampColumn {
  readonly column: string
  readonly as: 'timestamp'
}

/** Options of `kyselyUsers()`. */
export interface KyselyUsersOptions extends ValueOptions {
  /**
   * Table of the users, with its schema if needed (`app.users`).
   * @defaultValue `users`
   */
  table?: string
  /**
   * Logical fields to columns, where they differ from the default names (`id`, `email`, `username`,
   * `hashed_password`, `is_active`, `is_superuser`, `email_verified`, `token_version`,
   * `created_at`, `updated_at`). `null` for a column the table lacks. Fields such as `googleId` or
   * `phone` exist once they are named here. `{ column, as: 'timestamp' }` maps a flag to a time
   * column. With Kysely's `CamelCasePlugin` use the names that the plugin shows.
   * @defaultValue the snake_case names
   */
  columns?: Partial<Record<string, string | null | TimestampColumn>>
  /**
   * Further unique fields. Login fields, the recovery field and provider ids count as unique
   * anyway.
   * @defaultValue `[]`
   */
  unique?: readonly string[]
  /**
   * Makes the id of a new row where the database does not, such as `() => randomUUID()`.
   * @defaultValue none
   */
  generateId?: () => UserId
  /**
   * SQL dialect.
   * @defaultValue that of the Kysely instance
   */
  dialect?: Dialect
}
