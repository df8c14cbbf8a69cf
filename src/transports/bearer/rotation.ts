import type { FastifyRequest } from 'fastify'
import { decodeUserId, encodeUserId } from '../../accounts/user-id.js'
import type { Row, Users } from '../../accounts/users.js'
import { equalConstantTime } from '../../crypto/compare.js'
import { hmac, sha256 } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { randomToken } from '../../crypto/random.js'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import type { UserId } from '../../ports/user-store.js'
import { clientOf } from '../client.js'
import { guarded, isOfEpoch, type Slots } from '../slots.js'

/** A refresh token that was good, with what it is good for. */
interface Refreshed {
  readonly user: Row
  /** The successor; null where tokens are not rotated. */
  readonly refreshToken: string | null
  readonly scopes: readonly string[]
  readonly authenticatedAtMs: number
}

/** Why a refresh token was refused. `reuse` has ended its family. */
export type Refusal = { readonly refused: 'unknown' } | { readonly refused: 'reuse'; readonly user: Row }

interface Settings {
  /** Lifetime of an unused token, in milliseconds. */
  readonly refreshMs: number
  readonly rotate: boolean
  readonly graceMs: number
}

interface Services {
  readonly store: SessionStore
  readonly users: Users
  readonly slots: Slots
  /** Keys of the digest that makes a token's successor. */
  readonly successorKeys: PurposeKeys
  readonly settings: Settings
}

/** Whatever the rotation, a sign-in is asked for again after a year. */
const absoluteMs = 365 * 86_400_000

const tokenForm = /^([\w-]{22})\.([\w-]{22})\.([\w-]{43})$/

interface Presented {
  readonly family: string
  readonly tag: string
  readonly secret: string
  readonly handle: string
}

function parse(token: string): Presented | null {
  const [, family, tag, secret] = tokenForm.exec(token) ?? []
  return family && tag && secret ? { family, tag, secret, handle: sha256(family) } : null
}

/**
 * Refresh tokens in families (RFC 9700, 4.14.2). A family is a record of the session store, in slots of its own: `handle`
 * is the digest of the family's secret, `csrfDigest` that of the token now good, `lastActivityAtMs` when it was made. A
 * token's successor is a keyed digest of it, so that a repeated request gets the same successor though only digests are
 * stored; and a token is known to be of the family's past by its holding the family's secret, which no list shows.
 */
export function createRotation({ store, users, slots, successorKeys, settings }: Services) {
  const successor = (key: Buffer, { family, secret }: Presented) => hmac(key, `${family}.${secret}`)
  const refuse: Refusal = { refused: 'unknown' }

  const describe = (record: SessionRecord): readonly string[] => {
    const scopes: unknown = JSON.parse(record.metadata || '[]')
    return Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : []
  }

  /** The successor of a token that has been used, when it is the one now good; null otherwise. */
  const repeated = (presented: Presented, record: SessionRecord): string | null => {
    for (const key of successorKeys) {
      const next = successor(key, presented)
      if (equalConstantTime(sha256(next), record.csrfDigest)) return next
    }
    return null
  }

  return {
    /** Begins a family. */
    async begin(
      request: FastifyRequest | undefined,
      user: Row,
      scopes: readonly string[],
      authenticatedAtMs: number,
    ): Promise<string> {
      const id = users.idOf(user)
      const [tag] = slots.tagsOf(id)
      const family = randomToken(16)
      const secret = randomToken()
      const now = Date.now()
      const record: SessionRecord = {
        handle: sha256(family),
        userId: encodeUserId(id),
        epoch: users.epochOf(user),
        csrfDigest: sha256(secret),
        createdAtMs: now,
        lastActivityAtMs: now,
        idleMs: settings.refreshMs,
        absoluteExpiresAtMs: now + Math.max(absoluteMs, settings.refreshMs),
        authenticatedAtMs,
        sudoUntilMs: 0,
        remember: true,
        ...clientOf(request),
        metadata: JSON.stringify(scopes),
      }
      await guarded(store.create(tag, record, maxFamilies))
      return `${family}.${tag}.${secret}`
    },

    /** Uses a token: two round trips at the most, but where two requests use one token at the same moment. */
    async redeem(token: string): Promise<Refreshed | Refusal> {
      const presented = parse(token)
      if (!presented) return refuse
      const { tag, handle, family, secret } = presented
      let record = await guarded(store.read(tag, handle))
      const id = record && decodeUserId(record.userId)
      if (!record || id === null || !slots.tagsOf(id).includes(tag)) return refuse
      const user = await users.findById(id)
      if (!user || !users.isActive(user) || !isOfEpoch(record, users.epochOf(user))) return refuse
      const good = (next: string | null): Refreshed => ({
        user,
        refreshToken: next && `${family}.${tag}.${next}`,
        scopes: describe(record as SessionRecord),
        authenticatedAtMs: (record as SessionRecord).authenticatedAtMs,
      })

      const digest = sha256(secret)
      if (equalConstantTime(digest, record.csrfDigest)) {
        if (!settings.rotate) return good(null)
        const next = successor(successorKeys[0], presented)
        const patch = { csrfDigest: sha256(next), lastActivityAtMs: Date.now() }
        if (await guarded(store.update(tag, handle, patch, { csrfDigest: digest }))) return good(next)
        // Somebody was faster with the same token, or the family has ended.
        record = await guarded(store.read(tag, handle))
        if (!record) return refuse
      }
      const next = repeated(presented, record)
      if (next !== null && Date.now() - record.lastActivityAtMs < settings.graceMs) return good(next)
      await guarded(store.revoke(tag, handle))
      return { refused: 'reuse', user }
    },

    /** Ends the token's family and tells whose it was; null when it was none. */
    async end(token: string): Promise<UserId | null> {
      const presented = parse(token)
      if (!presented) return null
      const record = await guarded(store.read(presented.tag, presented.handle))
      // A token of the family's past ends it as well: its holder can only lose by it.
      if (!record || !(await guarded(store.revoke(presented.tag, presented.handle)))) return null
      return decodeUserId(record.userId)
    },
  }
}

/** Refresh families a user may have: a bound on what one account can store, far above what a person has devices. */
const maxFamilies = 100

export type Rotation = ReturnType<typeof createRotation>
