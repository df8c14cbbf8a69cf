/**
 * One session as the store keeps it. Nothing in it opens anything: the cookie's secret is known only by its digest
 * (`handle`), the CSRF token likewise. All times are `Date.now()` milliseconds.
 */
export interface SessionRecord {
  /** SHA-256 of the cookie's secret, base64url (43 characters). Public: it revokes, it never authenticates. */
  readonly handle: string
  /** The user's id as `encodeUserId` writes it. */
  readonly userId: string
  /**
   * The user's credential epoch when the session was made, and after a space the next one while it is being changed; a
   * record none of whose epochs is the row's is ended.
   */
  readonly epoch: string
  /** SHA-256 of the CSRF token, base64url; '' when CSRF is off. */
  readonly csrfDigest: string
  readonly createdAtMs: number
  readonly lastActivityAtMs: number
  /** Idle window in milliseconds: touched longer ago, the session is ended. */
  readonly idleMs: number
  /** End of the absolute lifetime. */
  readonly absoluteExpiresAtMs: number
  /** When the user last proved a credential. */
  readonly authenticatedAtMs: number
  /** End of sudo elevation; 0 when not elevated. */
  readonly sudoUntilMs: number
  readonly remember: boolean
  /** Sealed text of the device and the address that the session was made for. */
  readonly client: string
  /** Sealed text of the app's own JSON for the session; '' when none. */
  readonly metadata: string
}

/** What an update may change. Each named field is written alone; others keep what a concurrent update gave them. */
export type SessionPatch = Partial<
  Pick<
    SessionRecord,
    'csrfDigest' | 'lastActivityAtMs' | 'sudoUntilMs' | 'epoch' | 'authenticatedAtMs'
  >
>

/** A record, and when it was read by the store's own clock (milliseconds since 1970), which all processes share. */
export interface TimedRecord {
  readonly record: SessionRecord
  readonly atMs: number
}

/**
 * Atomic primitives over one user's sessions. `tag` is the user's slot tag (a keyed digest, base64url): everything of one
 * user lives under it, so that each call is one script in one slot and one round trip. A store never returns, counts or
 * revives a session that is past its idle window or its absolute lifetime at the time of the call.
 */
export interface SessionStore {
  /**
   * Stores a session and makes room: beyond `maxSessions` live ones the least recently active give way (never the new
   * one). Returns the handles that gave way.
   * @param maxSessions Infinity for no cap
   * @param replaces handle of a session of the user that ends in the same step, before room is made, and that is not among
   * those returned: both happen or neither does
   */
  create(
    tag: string,
    record: SessionRecord,
    maxSessions: number,
    replaces?: string,
  ): Promise<string[]>
  /** One read. */
  read(tag: string, handle: string): Promise<SessionRecord | null>
  /** As `read`, with the store's time. One round trip. */
  readTimed(tag: string, handle: string): Promise<TimedRecord | null>
  /**
   * Changes the named fields of a live session; false, and nothing written, when it has ended. With `expected`, also
   * false when one of those fields differs by now. `lastActivityAtMs` never goes backwards and extends the stored TTL.
   * @param notAfterMs false, too, and nothing written, once the store's own clock (`readTimed`) has reached this: a call that
   * its caller has given up on must not happen when the store wakes up
   */
  update(
    tag: string,
    handle: string,
    patch: SessionPatch,
    expected?: SessionPatch,
    notAfterMs?: number,
  ): Promise<boolean>
  /** Live sessions, most recently active first. Heals the index of expired handles. */
  list(tag: string): Promise<SessionRecord[]>
  /** Ends one; false when there was none. */
  revoke(tag: string, handle: string): Promise<boolean>
  /**
   * Ends all, but `keep.handle` when given, whose record takes `keep.epoch` in the same step. Returns how many live ones ended.
   */
  revokeAll(tag: string, keep?: { handle: string; epoch?: string }): Promise<number>
}
