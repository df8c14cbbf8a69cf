/** Primary key of a user as the store returns it. Never compared across types: `1` and `"1"` are two users. */
export type UserId = string | number | bigint

/** Values by logical field name (`email`, `hashedPassword`, …); unknown names are the app's own columns. */
export type UserValues = Record<string, unknown>

/** What a user model has, in logical names. */
export interface UserFields {
  /**
   * Logical names to the names in rows. A logical name that is missing does not exist in the model.
   */
  readonly columns: Readonly<Record<string, string>>
  /** Logical names with a unique constraint. */
  readonly unique: readonly string[]
  /**
   * Names (logical or column) that `create` and `update` accept. Without it, every name that isn't
   * logical is passed on as a column of the app.
   */
  readonly writable?: readonly string[]
  /**
   * Flags (`emailVerified`) stored as the time at which they became true; null is false. The store
   * gets booleans and converts them.
   */
  readonly timestamps?: readonly string[]
}

/**
 * The users of the app: five atomic methods in logical names. Methods must not depend on `this`.
 * Rows have the column names of the store and are read through `fields.columns`. Driver errors are
 * passed on, except unique violations, which become `DuplicateUserError`.
 */
export interface UserStore<User = Record<string, unknown>> {
  readonly fields: UserFields
  /** The row, or null. Null, not an error, for an id of another type. */
  findById(id: UserId): Promise<User | null>
  /**
   * The row whose logical `field` equals `value`, or null. Called for fields in `fields.unique`
   * only.
   */
  findBy(field: string, value: unknown): Promise<User | null>
  /**
   * Inserts, and returns the row as a later read would.
   * @throws DuplicateUserError, UserValueError
   */
  create(values: UserValues): Promise<User>
  /**
   * Writes `values`. False if there is no such row.
   * @throws DuplicateUserError, UserValueError
   */
  update(id: UserId, values: UserValues): Promise<boolean>
  /**
   * Writes `values` only if every `expected` field still has its value (null matches NULL), in one
   * atomic statement. False if nothing was written.
   * @throws DuplicateUserError
   */
  compareAndSet(id: UserId, expected: UserValues, values: UserValues): Promise<boolean>
  /**
   * Compares the store with its database before the app listens. An `error` stops start-up, a
   * `warning` is logged. A rejection means that it could not be done now, and is logged.
   */
  verifySchema?(needs: SchemaNeeds): Promise<readonly SchemaFinding[]>
}

/** What the plugin does with the columns of the model, by logical or column name. */
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

/** Logical fields that hold credentials. They never appear in `principal.user`, hooks or events. */
export const CREDENTIAL_FIELDS: readonly string[] = [
  'hashedPassword',
  'totpSecretEncrypted',
  'totpLastStep',
  'mfaRecoveryCodes',
]

/** Logical names of the user ids at the built-in providers. */
export const PROVIDER_ID_FIELDS: readonly string[] = [
  'googleId',
  'githubId',
  'microsoftId',
  'appleId',
  'gitlabId',
  'discordId',
]
