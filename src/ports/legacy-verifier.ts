/**
 * Verifier of another system's hashes. Each hash is replaced with argon2id at the first successful
 * sign-in. Ready verifiers are in `fastify-crudauth/legacy`.
 */
export interface LegacyVerifier {
  /**
   * Whether a stored hash is of this kind. Several verifiers may claim one hash; then each of them
   * verifies, and one that accepts is enough.
   */
  matches(hash: string): boolean
  /**
   * True only for the right password. Must never accept the stored value, or anything derived from
   * it without the password. Refuse a hash whose cost would occupy the server.
   */
  verify(hash: string, password: string): boolean | Promise<boolean>
  /**
   * A hash of this kind with the usual cost, of no user's password. With it, unknown users take the
   * same time from the start.
   */
  readonly sample?: string | undefined
  /**
   * What the time of a verification depends on, such as the rounds in the hash. The plugin
   * remembers up to four costs per verifier, and failed sign-ins do the work of each. Without it,
   * all hashes of this kind count as equally expensive.
   */
  cost?(hash: string): string
  /**
   * Number of UTF-8 bytes that the other system compares, such as 72 with bcrypt. A longer password
   * signs in, but its hash stays: any text with the same beginning would also sign in, and must not
   * become the password.
   */
  readonly maxBytes?: number | undefined
  /**
   * Whether a text has the form of what this system puts into its hash function instead of the
   * password, such as a SHA-256 digest. Other verifiers that claim the same hash don't get to
   * accept such a text: to them, a leaked digest would be the password.
   */
  looksPreHashed?(password: string): boolean
  /**
   * Called once at registration, for example to load a package. If it throws, the app doesn't
   * start.
   */
  prepare?(): void | Promise<void>
}
