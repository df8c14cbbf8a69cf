/**
 * Values that are redeemed once (recovery tokens, OAuth state). `key` is a digest, base64url; the secret itself never gets
 * here. `group`, when given, ties the values of one user and purpose together (a keyed digest): they share a slot, and
 * `revokeGroup` ends them all.
 */
export interface OneTimeStore {
  /** Stores `value` (JSON text, at most 4 KiB) for `ttlMs` milliseconds. */
  put(key: string, value: string, ttlMs: number, group?: string): Promise<void>
  /** Reads without redeeming. */
  peek(key: string, group?: string): Promise<string | null>
  /** Reads and deletes in one step: of any number of concurrent calls exactly one gets the value. */
  take(key: string, group?: string): Promise<string | null>
  /** Ends every value of the group; returns how many there were. */
  revokeGroup(group: string): Promise<number>
}
