import type { UserId } from './user-store.js'

/** A user's account at a provider. */
export interface OAuthAccount {
  /** Key of the provider in `oauth.providers`. */
  readonly provider: string
  /** The provider's immutable id of the account, as text. */
  readonly subject: string
  readonly userId: UserId
  /** The address there when it was linked, for lists. Null where the provider told none. */
  readonly email: string | null
  readonly linkedAt: Date
}

/**
 * Linked accounts in a table of their own, instead of a `<provider>Id` column each in the users table. Needs two unique
 * constraints: (`provider`, `subject`), so that an account at a provider opens one account here, and (`userId`, `provider`).
 * Methods must not depend on `this`; a driver's error is passed on as it is.
 */
export interface OAuthAccountStore {
  find(provider: string, subject: string): Promise<OAuthAccount | null>
  /** In the order in which they were linked. */
  list(userId: UserId): Promise<OAuthAccount[]>
  /** False when one of the constraints refuses it, in which case nothing was written. */
  add(account: OAuthAccount): Promise<boolean>
  /**
   * Removes a user's account at a provider, in one atomic step; `keepLast` refuses to remove the only one. Of two removals at
   * once with `keepLast` one at most may take the number to zero: it never gets there.
   */
  remove(
    userId: UserId,
    provider: string,
    keepLast: boolean,
  ): Promise<'removed' | 'absent' | 'last'>
}
