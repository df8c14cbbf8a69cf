import type { SessionRecord } from '../../ports/session-store.js'

/** How long sessions live, in milliseconds. */
export interface SessionLifetime {
  /** Idle window of an ordinary session. */
  readonly idleMs: number
  /** Idle window of a remembered session, and `Max-Age` of its cookies. */
  readonly rememberMs: number
  /** Maximum lifetime of any session. */
  readonly absoluteMs: number
}

/** Activity is written at most once in this fraction of the idle window, or once an hour. */
const touchFraction = 1 / 30

/** Times of a new session. */
export function beginLifetime(lifetime: SessionLifetime, remember: boolean, now: number) {
  const idleMs = remember ? lifetime.rememberMs : lifetime.idleMs
  return {
    createdAtMs: now,
    lastActivityAtMs: now,
    idleMs,
    absoluteExpiresAtMs: now + lifetime.absoluteMs,
    remember,
  }
}

/**
 * `Max-Age` of a remembered session's cookies in seconds: the longest that the server could accept
 * them.
 */
export const cookieSeconds = (lifetime: SessionLifetime, remember: boolean): number | undefined =>
  remember ? Math.floor(Math.min(lifetime.rememberMs, lifetime.absoluteMs) / 1000) : undefined

/** Remaining seconds of a remembered session whose activity was just written. */
export const remainingSeconds = (record: SessionRecord, now: number): number =>
  Math.floor(Math.min(record.idleMs, record.absoluteExpiresAtMs - now) / 1000)

export const needsTouch = (record: SessionRecord, now: number): boolean =>
  now - record.lastActivityAtMs > Math.min(record.idleMs * touchFraction, 3_600_000)
