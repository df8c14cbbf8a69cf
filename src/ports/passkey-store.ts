import type { SchemaFinding, UserId } from './user-store.js'

/** A passkey of a user: a WebAuthn credential. */
export interface Passkey {
  /** Id in URLs: 22 characters of base64url. Not the id of the credential. */
  readonly id: string
  readonly userId: UserId
  /**
   * Random id of the user for authenticators: at most 64 bytes in base64url, 86 characters. It says
   * nothing about the user.
   */
  readonly userHandle: string
  /** Base64url of at most 1,023 bytes: 1,364 characters. Unique. */
  readonly credentialId: string
  /** COSE key in base64url: less than 4,096 characters. */
  readonly publicKey: string
  /** Signature counter, at most 2^32 - 1. 0 for passkeys that don't count. */
  readonly counter: number
  /**
   * How browsers may reach the authenticator, such as `internal`, `hybrid` and `usb`. At most 255
   * characters as JSON.
   */
  readonly transports: readonly string[]
  /** Model of the authenticator, as a UUID; zeros where it is not told. */
  readonly aaguid: string
  /** At most 100 characters. */
  readonly name: string
  /** Whether it is synchronized, so that a lost device doesn't lose it. */
  readonly backedUp: boolean
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

/** A passkey as apps see it. `id` is not that of the credential. */
export type PasskeyInfo = Pick<
  Passkey,
  'id' | 'name' | 'createdAt' | 'lastUsedAt' | 'backedUp' | 'transports'
>

/** What a use of a passkey changes. */
export type PasskeyUse = Pick<Passkey, 'counter' | 'backedUp'> & { readonly lastUsedAt: Date }

/**
 * Passkeys in a table of their own: the option `passkeys.store`. `id` and `credentialId` are unique
 * each. Text is compared byte by byte. Methods must not depend on `this`; driver errors are passed
 * on.
 */
export interface PasskeyStore {
  /** Adds a passkey. False, and nothing written, if its id or its credential is known. */
  create(passkey: Passkey): Promise<boolean>
  findByCredentialId(credentialId: string): Promise<Passkey | null>
  /** The passkeys of a user, oldest first. */
  listByUser(userId: UserId): Promise<Passkey[]>
  /**
   * Writes a use, only if the counter still has the value `expected`, in one atomic step. False if
   * nothing was written.
   */
  compareAndSetCounter(id: string, expected: number, use: PasskeyUse): Promise<boolean>
  /** False if the user has no such passkey. */
  rename(userId: UserId, id: string, name: string): Promise<boolean>
  /**
   * Deletes a passkey in one atomic step. With `keepLast` it doesn't delete the only one of the
   * user, so at most one of two parallel deletions succeeds.
   */
  delete(userId: UserId, id: string, keepLast: boolean): Promise<'deleted' | 'absent' | 'last'>
  /** Deletes all passkeys of a user. Returns how many. */
  deleteAllOfUser(userId: UserId): Promise<number>
  /**
   * Compares the store with its database before the app listens. An `error` stops start-up, a
   * `warning` is logged. A rejection means that the check failed; it is logged, and the check is
   * repeated.
   */
  verifySchema?(): Promise<readonly SchemaFinding[]>
}
