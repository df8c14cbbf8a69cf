/**
 * Values that can be redeemed once (recovery tokens, OAuth state). `key` is a digest in base64url:
 * the store never gets the secret. `group` is an optional keyed digest of user and purpose. Values
 * of a group share a Redis slot, and `revokeGroup` revokes them all.
 */
export interface OneTimeStore {
  /** Stores `value` (JSON text, at most 4 KiB) for `ttlMs` milliseconds. */
  put(key: string, value: string, ttlMs: number, group?: string): Promise<void>
  /** Reads without redeeming. */
  peek(key: string, group?: string): Promise<string | null>
  /**
   * Reads and deletes in one atomic step: exactly one of several concurrent calls gets the value.
   */
  take(key: string, group?: string): Promise<string | null>
  /** Revokes every value of the group. Returns their number. */
  revokeGroup(group: string): Promise<number>
}
