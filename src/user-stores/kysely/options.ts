import type { UserId } from '../../ports/user-store.js'
import type { Dialect } from '../sql/dialect.js'
import type { ValueOptions } from '../sql/values.js'

/**
 * A `Kysely`, or a `Transaction`. By its shape, not its class: an app in CommonJS has the types of Kysely's other build, whose
 * class is another one to TypeScript.
 */
export interface KyselyInstance {
  readonly isTransaction: boolean
  getExecutor(): unknown
  selectFrom(...from: never[]): unknown
  insertInto(...into: never[]): unknown
  updateTable(...tables: never[]): unknown
}

/** A flag (`emailVerified`, `phoneVerified`) that is kept as the time at which it became true; null is false. */
export interface TimestampColumn {
  readonly column: string
  readonly as: 'timestamp'
}

/** Options of `kyselyUsers`. */
export interface KyselyUsersOptions extends ValueOptions {
  /** The table, with its schema if need be (`app.users`). Default `users`. */
  table?: string
  /**
   * Logical names to columns, where they differ from the default: `id`, `email`, `username`, `hashed_password`,
   * `is_active`, `is_superuser`, `email_verified`, `token_version`, `created_at`, `updated_at`. Null for what the table
   * lacks. Further logical fields (`googleId`, `phone`, `oauthProvider`, …) exist if they are named here. The app's own
   * columns are not; they are written and read under their own names. With Kysely's `CamelCasePlugin`, name all columns
   * as the plugin shows them. A flag that is kept as a time (`email_verified_at`) is `{ column, as: 'timestamp' }`.
   */
  columns?: Partial<Record<string, string | null | TimestampColumn>>
  /** Further fields with a unique constraint. Login fields, the recovery factor and provider ids are taken to have one. */
  unique?: readonly string[]
  /** Makes the id of a new row, where the database does not, or MySQL cannot say what it made: `() => randomUUID()`. */
  generateId?: () => UserId
  /** What the instance speaks. Default: what its dialect's adapter is. */
  dialect?: Dialect
}
