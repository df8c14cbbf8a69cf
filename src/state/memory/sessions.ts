import { LRUCache } from 'lru-cache'
import type { SessionPatch, SessionRecord, SessionStore } from '../../ports/session-store.js'

type Sessions = Map<string, SessionRecord>

const isLive = (record: SessionRecord, now: number) =>
  record.lastActivityAtMs + record.idleMs > now && record.absoluteExpiresAtMs > now

const matches = (record: SessionRecord, expected: SessionPatch) =>
  (Object.keys(expected) as (keyof SessionPatch)[]).every(
    (name) => expected[name] === undefined || record[name] === expected[name],
  )

/** `patch` without undefined fields, which would otherwise overwrite those of the record. */
const defined = (patch: SessionPatch) =>
  Object.fromEntries(
    Object.entries(patch).filter(([, value]) => value !== undefined),
  ) as SessionPatch

/**
 * Sessions in this process. No method awaits anything, so each is atomic. Records are frozen.
 * Beyond `max` sessions in total, those of the least recently seen users are evicted.
 */
export function memorySessions(max = 100_000): SessionStore {
  const users = new LRUCache<string, Sessions>({
    maxSize: max,
    sizeCalculation: (sessions) => sessions.size || 1,
  })

  /** The live sessions of a user. Deletes those that have ended. */
  const liveOf = (tag: string, now: number): Sessions => {
    const sessions = users.get(tag)
    if (!sessions) return new Map()
    for (const [handle, record] of sessions) if (!isLive(record, now)) sessions.delete(handle)
    return sessions
  }
  // The cache measures an entry only when it is new: `set` with the same object keeps the old size.
  const keep = (tag: string, sessions: Sessions) => {
    users.delete(tag)
    if (sessions.size > 0) users.set(tag, sessions)
  }

  return {
    async create(tag, record, maxSessions, replaces) {
      const now = Date.now()
      if (!isLive(record, now)) return []
      const sessions = liveOf(tag, now)
      if (replaces !== undefined) sessions.delete(replaces)
      sessions.set(record.handle, Object.freeze({ ...record }))
      const surplus = sessions.size - Math.max(1, Math.min(maxSessions, max))
      const evicted =
        surplus > 0
          ? [...sessions.values()]
              .filter((other) => other.handle !== record.handle)
              .sort((a, b) => a.lastActivityAtMs - b.lastActivityAtMs)
              .slice(0, surplus)
              .map((other) => other.handle)
          : []
      for (const handle of evicted) sessions.delete(handle)
      keep(tag, sessions)
      return evicted
    },

    async read(tag, handle) {
      const record = users.get(tag)?.get(handle)
      return record && isLive(record, Date.now()) ? record : null
    },

    async readTimed(tag, handle) {
      const atMs = Date.now()
      const record = users.get(tag)?.get(handle)
      return record && isLive(record, atMs) ? { record, atMs } : null
    },

    async update(tag, handle, patch, expected, notAfterMs = Number.POSITIVE_INFINITY) {
      const now = Date.now()
      const sessions = users.get(tag)
      const record = sessions?.get(handle)
      if (!sessions || !record || !isLive(record, now) || now >= notAfterMs) return false
      if (expected && !matches(record, expected)) return false
      const lastActivityAtMs = Math.max(record.lastActivityAtMs, patch.lastActivityAtMs ?? 0)
      sessions.set(handle, Object.freeze({ ...record, ...defined(patch), lastActivityAtMs }))
      return true
    },

    async list(tag) {
      const sessions = liveOf(tag, Date.now())
      keep(tag, sessions)
      return [...sessions.values()].sort((a, b) => b.lastActivityAtMs - a.lastActivityAtMs)
    },

    async revoke(tag, handle) {
      const sessions = liveOf(tag, Date.now())
      const ended = sessions.delete(handle)
      keep(tag, sessions)
      return ended
    },

    async revokeAll(tag, kept) {
      const sessions = liveOf(tag, Date.now())
      const record = kept && sessions.get(kept.handle)
      const ended = sessions.size - (record ? 1 : 0)
      sessions.clear()
      if (record)
        sessions.set(record.handle, Object.freeze({ ...record, epoch: kept.epoch ?? record.epoch }))
      keep(tag, sessions)
      return ended
    },
  }
}
