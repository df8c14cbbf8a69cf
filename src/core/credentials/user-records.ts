import { LRUCache } from 'lru-cache'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import type { UserId } from '../../ports/user-store.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'
import type { Revocable } from './credentials.js'

/**
 * Operations on all of a user's records of one kind: sessions, refresh token families or known
 * devices. They throw `UnavailableError` (503) in an outage.
 */
export interface UserRecords {
  /** The user's slot tags, one for each configured secret. New records use the first. */
  tagsOf(id: UserId): readonly [string, ...string[]]
  /** Live records under the user's current epoch, most recently active first. */
  list(user: Row): Promise<SessionRecord[]>
  /** Revokes one by its handle. False if it is unknown or belongs to another user. */
  revoke(id: UserId, handle: string): Promise<boolean>
  /** Revokes all, except `keep`, which moves to `keep.epoch`. Returns how many were revoked. */
  revokeAll(id: UserId, keep?: { handle: string; epoch?: string }): Promise<number>
}

const maxKnownTags = 10_000

/**
 * Whether the record is valid under the epoch. It has two epochs while its user's credential is
 * changing.
 */
export const hasEpoch = ({ epoch }: SessionRecord, current: string): boolean =>
  epoch === current || (epoch.includes(' ') && epoch.split(' ').includes(current))

/**
 * @param keys each kind has keys of its own purpose, so that a record of one kind is never found as
 * another
 */
export function createUserRecords(
  store: SessionStore,
  users: Users,
  keys: PurposeKeys,
): UserRecords {
  // Every request with a session needs its user's tags, and their HMAC costs more than the rest of
  // its computation. `maxSize` lets the cache grow with its users: `max` allocates every entry at
  // registration.
  const knownTags = new LRUCache<string, readonly [string, ...string[]]>({
    maxSize: maxKnownTags,
    sizeCalculation: () => 1,
  })

  const tagsOf = (id: UserId): readonly [string, ...string[]] => {
    const text = encodeUserId(id)
    const known = knownTags.get(text)
    if (known) return known
    const tags = keys.map((key) => shortHmac(key, text)) as unknown as [string, ...string[]]
    knownTags.set(text, tags)
    return tags
  }

  return {
    tagsOf,

    async list(user) {
      const epoch = users.epochOf(user)
      const lists = await orUnavailable(
        Promise.all(tagsOf(users.idOf(user)).map((tag) => store.list(tag))),
      )
      return lists
        .flat()
        .filter((record) => hasEpoch(record, epoch))
        .sort((a, b) => b.lastActivityAtMs - a.lastActivityAtMs)
    },

    async revoke(id, handle) {
      const ended = await orUnavailable(
        Promise.all(tagsOf(id).map((tag) => store.revoke(tag, handle))),
      )
      return ended.includes(true)
    },

    async revokeAll(id, keep) {
      const ended = await orUnavailable(
        Promise.all(tagsOf(id).map((tag) => store.revokeAll(tag, keep))),
      )
      return ended.reduce((sum, count) => sum + count, 0)
    },
  }
}

/**
 * Revokes all records of every kind for a user who may no longer sign in. Otherwise they would
 * become valid again when the account is enabled. Returns whether all were revoked. Never rejects.
 */
export type RevokeEverything = (id: UserId) => Promise<boolean>

/**
 * @param records sessions and refresh families, including those whose transport is no longer
 * configured
 * @param revocables what the features have registered, which may include the same records
 */
export const createRevokeEverything =
  (records: readonly UserRecords[], revocables: readonly Revocable[]): RevokeEverything =>
  async (id) => {
    const revokes = new Set([...records, ...revocables].map(({ revokeAll }) => revokeAll))
    const results = await Promise.allSettled([...revokes].map((revokeAll) => revokeAll(id)))
    return results.every(({ status }) => status === 'fulfilled')
  }
