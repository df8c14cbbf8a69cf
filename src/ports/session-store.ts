/**
 * A stored session, refresh token family or known device; the last two reuse some fields for their
 * own purposes. Nothing in it grants access: the secret of the cookie and the CSRF token are
 * stored as digests. Times are in milliseconds since 1970.
 */
export interface SessionRecord {
  /**
   * SHA-256 of the secret in the cookie, base64url (43 characters). Public: it can revoke the
   * session but never authenticates.
   */
  readonly handle: string
  /** User id as written by `encodeUserId`. */
  readonly userId: string
  /**
   * Credential epoch of the user at creation. While it changes, the next one follows after a space.
   * The session has ended if the record lacks the epoch of the user row.
   */
  readonly epoch: string
  /** SHA-256 of the CSRF token, base64url; '' without CSRF. */
  readonly csrfDigest: string
  readonly createdAtMs: number
  readonly lastActivityAtMs: number
  /** Idle timeout in milliseconds. */
  readonly idleMs: number
  /** Absolute expiry. */
  readonly absoluteExpiresAtMs: number
  /** When the user last authenticated. */
  readonly authenticatedAtMs: number
  /** End of sudo mode; 0 outside it. */
  readonly sudoUntilMs: number
  readonly remember: boolean
  /** Encrypted device, IP address and methods of the sign-in. */
  readonly client: string
  /** Encrypted JSON of the app; '' without any. */
  readonly metadata: string
}

/**
 * Fields that an update may change. Only the named ones are written, to keep concurrent changes.
 */
export type SessionPatch = Partial<
  Pick<
    SessionRecord,
    'csrfDigest' | 'lastActivityAtMs' | 'sudoUntilMs' | 'epoch' | 'authenticatedAtMs'
  >
>

/**
 * A record, and the time of the read in milliseconds since 1970. The time is by the store's clock,
 * which all processes share.
 */
export interface TimedRecord {
  readonly record: SessionRecord
  readonly atMs: number
}

/**
 * Atomic operations on the sessions of one user. `tag` is a keyed digest of the user, base64url.
 * With all sessions of a user under one tag, each call is one script in one Redis slot, and one
 * round trip. A store never returns, counts or revives a session past its idle or absolute timeout.
 */
export interface SessionStore {
  /**
   * Stores a session. Beyond `maxSessions` live ones, the least recently active are evicted (never
   * the new one). Returns the evicted handles.
   * @param maxSessions Infinity for no limit
   * @param replaces handle of a session of the user to end in the same atomic step, before others
   * are evicted; not returned
   */
  create(
    tag: string,
    record: SessionRecord,
    maxSessions: number,
    replaces?: string,
  ): Promise<string[]>
  /** One read. */
  read(tag: string, handle: string): Promise<SessionRecord | null>
  /** Like `read`, with the store's time. One round trip. */
  readTimed(tag: string, handle: string): Promise<TimedRecord | null>
  /**
   * Changes the named fields of a live session. False, and nothing written, if it has ended, or if
   * one of the `expected` fields differs. `lastActivityAtMs` never goes backwards and extends the
   * stored TTL.
   * @param notAfterMs also false, and nothing written, once the clock of the store (`readTimed`)
   * has reached this time: a call must not take effect after its caller has given up
   */
  update(
    tag: string,
    handle: string,
    patch: SessionPatch,
    expected?: SessionPatch,
    notAfterMs?: number,
  ): Promise<boolean>
  /** Live sessions, most recently active first. Removes expired handles from the index. */
  list(tag: string): Promise<SessionRecord[]>
  /** Ends a session. False if there was none. */
  revoke(tag: string, handle: string): Promise<boolean>
  /**
   * Ends all sessions except `keep.handle`, whose record gets `keep.epoch` in the same step.
   * Returns the number of live sessions that ended.
   */
  revokeAll(tag: string, keep?: { handle: string; epoch?: string }): Promise<number>
}
