/** Primary key of a user, as the store returns it. `1` and `"1"` are different users. */
export type UserId = string | number | bigint

/** Values by logical field (`email`, `hashedPassword`, …). Other names are columns of the app. */
export type UserValues = Record<string, unknown>

/** The fields of a user model, by logical name. */
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
   * `warning` is logged. A rejection means that the check failed; it is logged, and the check is
   * repeated.
   */
  verifySchema?(needs: SchemaNeeds): Promise<readonly SchemaFinding[]>
}

/** How the plugin uses the columns, by logical or column name. */
export interface SchemaNeeds {
  /** Columns that get a value in every new row. */
  readonly filled: readonly string[]
  /** Columns that may be written, so they must exist. */
  readonly written: readonly string[]
  /** Those of `written` that may get null, with the characters that a text column must hold. */
  readonly nullable?: Readonly<Record<string, number>> | undefined
  /**
   * Whether app code may fill other columns: a required column without a value is then a warning.
   */
  readonly mayFill: boolean
}

/** A mismatch between the model and the database, and how to fix it. */
export interface SchemaFinding {
  readonly level: 'error' | 'warning'
  readonly message: string
}

/** Logical fields of the second factor (TOTP and recovery codes). */
export const MFA_FIELDS: readonly string[] = [
  'totpSecretEncrypted',
  'totpConfirmedAt',
  'totpLastStep',
  'mfaRecoveryCodes',
]

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
