import { LRUCache } from 'lru-cache'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import type { UserId } from '../../ports/user-store.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'
import type { Revocable } from './credentials.js'

/** What is done to all of a user's records of one kind, sessions or refresh families. Throws `UnavailableError` (503) in an outage. */
export interface UserRecords {
  /** The user's slot tags, one for each configured secret; the first is for what is made now. */
  tagsOf(id: UserId): readonly [string, ...string[]]
  /** Live records under the user's present epoch, most recently active first. */
  list(user: Row): Promise<SessionRecord[]>
  /** Ends one by its handle; false when it is not theirs or none. */
  revoke(id: UserId, handle: string): Promise<boolean>
  /** Ends all, but `keep` when given, which moves to `keep.epoch`. Returns how many ended. */
  revokeAll(id: UserId, keep?: { handle: string; epoch?: string }): Promise<number>
}

const maxKnownTags = 10_000

/** A record has two epochs while its user's credential is being changed. */
export const isOfEpoch = ({ epoch }: SessionRecord, current: string): boolean =>
  epoch === current || (epoch.includes(' ') && epoch.split(' ').includes(current))

/** @param keys of a purpose of its own for each kind, so that no record of one is ever found as the other */
export function createUserRecords(
  store: SessionStore,
  users: Users,
  keys: PurposeKeys,
): UserRecords {
  // Every request of a session needs its user's tags, and an HMAC costs more than all else that it computes.
  // By size, so that it grows with its users: `max` allocates every entry at registration.
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
        .filter((record) => isOfEpoch(record, epoch))
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
 * Ends everything, of every kind, that somebody who may no longer sign in still has, so that it does not come back to life
 * with the account. Best effort: the request is refused in any case. Never rejects.
 */
export type RevokeEverything = (id: UserId) => Promise<void>

/**
 * @param records sessions and refresh families, whose transport may not be configured any more
 * @param revocables what features have registered, which may be those very records
 */
export const createRevokeEverything =
  (records: readonly UserRecords[], revocables: readonly Revocable[]): RevokeEverything =>
  async (id) => {
    const revokes = new Set([...records, ...revocables].map(({ revokeAll }) => revokeAll))
    await Promise.allSettled([...revokes].map((revokeAll) => revokeAll(id)))
  }
