import type { SchemaFinding, UserId } from './user-store.js'

/** A user's account at a provider. */
export interface OAuthAccount {
  /** Key of the provider in `oauth.providers`. */
  readonly provider: string
  /** Immutable id of the account at the provider, as text. */
  readonly subject: string
  readonly userId: UserId
  /** Address at the provider when it was linked, for display. Null if the provider gave none. */
  readonly email: string | null
  readonly linkedAt: Date
}

/**
 * Linked accounts in a table of their own, instead of a `<provider>Id` column each. Needs two
 * unique constraints: (`provider`, `subject`) and (`userId`, `provider`). Methods must not depend
 * on `this`; driver errors are passed on.
 */
export interface OAuthAccountStore {
  find(provider: string, subject: string): Promise<OAuthAccount | null>
  /** The links of a user, oldest first. */
  list(userId: UserId): Promise<OAuthAccount[]>
  /** Adds a link. False, and nothing written, if a constraint refuses it. */
  add(account: OAuthAccount): Promise<boolean>
  /**
   * Removes a link in one atomic step. With `keepLast` it doesn't remove the only link, so at most
   * one of two parallel removals succeeds.
   */
  remove(
    userId: UserId,
    provider: string,
    keepLast: boolean,
  ): Promise<'removed' | 'absent' | 'last'>
  /**
   * Compares the store with its database before the app listens. An `error` stops start-up, a
   * `warning` is logged. A rejection means that the check failed; it is logged, and the check is
   * repeated.
   */
  verifySchema?(): Promise<readonly SchemaFinding[]>
}
