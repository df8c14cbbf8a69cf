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
  /**
   * Compares the store with its database before the app listens: an `error` stops start-up, a `warning` is logged. A rejection
   * means that it could not be done now, and is logged.
   */
  verifySchema?(needs: SchemaNeeds): Promise<readonly SchemaFinding[]>
}

/** What the plugin does with the columns of the model, by logical names or the app's own. */
export interface SchemaNeeds {
  /** Given a value in every new row. */
  readonly filled: readonly string[]
  /** May be written, so they must exist. */
  readonly written: readonly string[]
  /** Whether code of the app's may fill further columns: what nothing else fills is then a warning. */
  readonly mayFill: boolean
}

/** Something in the database that does not fit, with its cure. */
export interface SchemaFinding {
  readonly level: 'error' | 'warning'
  readonly message: string
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
