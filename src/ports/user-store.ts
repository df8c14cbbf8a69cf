/** Primary key of a user as the store returns it. Never compared across types: `1` and `"1"` are two users. */
export type UserId = string | number | bigint

/** Values by logical field name (`email`, `hashedPassword`, …); unknown names are the app's own columns. */
export type UserValues = Record<string, unknown>

/** What a user model has, in logical names. */
export interface UserFields {
  /** Logical name to the name under which a row carries it. A logical name that is absent does not exist in the model. */
  readonly columns: Readonly<Record<string, string>>
  /** Logical names with a unique constraint in the store. */
  readonly unique: readonly string[]
  /**
   * Names (logical or column) that `create` and `update` accept. Absent when the store cannot know, in which case any
   * name that is no logical one is passed on as the app's own column.
   */
  readonly writable?: readonly string[]
  /**
   * Flags (`emailVerified`) that the store keeps as the time at which they became true; null is false. The store is given
   * booleans, and turns them into times and comparisons with null.
   */
  readonly timestamps?: readonly string[]
}

/**
 * The app's users, behind five atomic verbs in logical names. Methods must not depend on `this`. Rows come back with the
 * store's own column names and are read through `fields.columns`. A driver's error is passed on as it is, except a unique
 * violation, which becomes a `DuplicateUserError` naming the logical field.
 */
export interface UserStore<User = Record<string, unknown>> {
  readonly fields: UserFields
  /** The row, or null. An id of another type or an impossible one (text for an integer key) is null, never an error. */
  findById(id: UserId): Promise<User | null>
  /** The row whose logical `field` equals `value`, or null. Asked only for fields in `fields.unique`. */
  findBy(field: string, value: unknown): Promise<User | null>
  /** Inserts and returns the row as a later read would return it. @throws DuplicateUserError */
  create(values: UserValues): Promise<User>
  /** Writes `values`; false when there is no such row. @throws DuplicateUserError */
  update(id: UserId, values: UserValues): Promise<boolean>
  /**
   * Writes `values` only if every `expected` field still has its value (null matches NULL), in one atomic statement.
   * False when the row is gone or has moved on, in which case nothing was written. @throws DuplicateUserError
   */
  compareAndSet(id: UserId, expected: UserValues, values: UserValues): Promise<boolean>
}

/** Logical names of the ids under which the shipped OAuth providers know a user. */
/** Logical fields that hold credentials: they never leave the plugin, not in `principal.user`, hooks or events. */
export const CREDENTIAL_FIELDS: readonly string[] = [
  'hashedPassword',
  'totpSecretEncrypted',
  'totpLastStep',
  'mfaRecoveryCodes',
]

export const PROVIDER_ID_FIELDS: readonly string[] = [
  'googleId',
  'githubId',
  'microsoftId',
  'appleId',
  'gitlabId',
  'discordId',
]
