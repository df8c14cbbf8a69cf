import { randomBytes, randomUUID } from 'node:crypto'
import type { SessionRecord } from '../../ports/session-store.js'

export const MINUTE_MS = 60_000
export const tagText = () => randomBytes(16).toString('base64url')
export const digestText = () => randomBytes(32).toString('base64url')

/** A record of a session that is live for half an hour. */
export const record = (changes: Partial<SessionRecord> = {}): SessionRecord => {
  const now = Date.now()
  return {
    handle: digestText(),
    userId: `s:${randomUUID()}`,
    epoch: tagText(),
    csrfDigest: digestText(),
    createdAtMs: now,
    lastActivityAtMs: now,
    idleMs: 30 * MINUTE_MS,
    absoluteExpiresAtMs: now + 24 * 60 * MINUTE_MS,
    authenticatedAtMs: now,
    sudoUntilMs: 0,
    remember: false,
    client: randomBytes(80).toString('base64url'),
    metadata: '',
    ...changes,
  }
}

export const handlesOf = (records: readonly SessionRecord[]) => records.map(({ handle }) => handle)
export const sorted = (texts: readonly string[]) => [...texts].sort()
