import type { SessionRecord } from '../../ports/session-store.js'

/** How long sessions live, in milliseconds. */
export interface SessionLifetime {
  /** Idle window of an ordinary session. */
  readonly idleMs: number
  /** Idle window of a remembered one, and its cookies' Max-Age. */
  readonly rememberMs: number
  /** Longest life of any. */
  readonly absoluteMs: number
}

/** Share of the idle window after which activity is written back: a busy session costs reads, not writes. */
const touchShare = 1 / 30

/** Times of a session that begins now. */
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

/** Seconds for `Max-Age` of a remembered session's cookies: what the server would honour at best. */
export const cookieSeconds = (lifetime: SessionLifetime, remember: boolean): number | undefined =>
  remember ? Math.floor(Math.min(lifetime.rememberMs, lifetime.absoluteMs) / 1000) : undefined

/** Remaining seconds of a remembered session whose activity was just written. */
export const remainingSeconds = (record: SessionRecord, now: number): number =>
  Math.floor(Math.min(record.idleMs, record.absoluteExpiresAtMs - now) / 1000)

export const needsTouch = (record: SessionRecord, now: number): boolean =>
  now - record.lastActivityAtMs > Math.min(record.idleMs * touchShare, 3_600_000)
