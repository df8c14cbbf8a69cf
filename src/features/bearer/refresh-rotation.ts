import type { FastifyRequest } from 'fastify'
import {
  hasEpoch,
  type RevokeEverything,
  type UserRecords,
} from '../../core/credentials/user-records.js'
import type { Methods } from '../../core/principal/methods.js'
import type { ClientRecords } from '../../core/sessions/client-record.js'
import { decodeUserId, encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { equalConstantTime } from '../../crypto/compare.js'
import { hmac, sha256 } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { randomToken } from '../../crypto/random.js'
import { orUnavailable, unavailableError } from '../../lib/unavailable.js'
import type { SessionRecord, SessionStore, TimedRecord } from '../../ports/session-store.js'
import type { UserId } from '../../ports/user-store.js'

/** The result of a successful refresh. */
interface Refreshed<Issued> {
  readonly user: Row
  /** The next refresh token; null without rotation. */
  readonly refreshToken: string | null
  readonly issued: Issued
}

/** Issues what the client gets for a refresh token. */
type Issue<Issued> = (
  user: Row,
  scopes: readonly string[],
  authenticatedAtMs: number,
  amr: Methods,
) => Issued

/** Why a refresh token was rejected. With `reuse` its family has been revoked. */
export type Refusal =
  | { readonly refused: 'unknown' }
  | { readonly refused: 'reuse'; readonly user: Row }

interface Settings {
  /** Lifetime of an unused token, in milliseconds. */
  readonly refreshMs: number
  readonly rotate: boolean
  readonly graceMs: number
  /** Timeout of a call to the store, in milliseconds. */
  readonly waitMs: number
}

interface Dependencies {
  readonly store: SessionStore
  readonly users: Users
  readonly families: UserRecords
  readonly revokeEverything: RevokeEverything
  readonly clients: ClientRecords
  /** HMAC keys that derive a token's successor. */
  readonly successorKeys: PurposeKeys
  readonly settings: Settings
}

/** Absolute lifetime of a family: a year, or `refreshDays` if that is longer. */
const absoluteMs = 365 * 86_400_000

/** Attempts at a rotation that the store runs too late, before the request gets 503. */
const maxAttempts = 3

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
 * Refresh tokens in families (RFC 9700, section 4.14.2). A token is `family.tag.secret`. A family
 * is a record in the session store, under tags of its own, with these fields:
 *
 * - `handle`: digest of the family's secret.
 * - `csrfDigest`: digest of the secret of the current token.
 * - `lastActivityAtMs`: when the current token was issued.
 * - `sudoUntilMs`: end of the grace period of the previous token, by the clock of the store. The
 *   processes therefore don't need synchronized clocks.
 *
 * A token's successor is an HMAC of it. A repeated request therefore gets the same successor,
 * although only digests are stored. Every token contains the family's secret, which no list shows.
 * A token with that secret that is neither current nor in its grace period is a reuse.
 */
export function createRotation({
  store,
  users,
  families,
  revokeEverything,
  clients,
  successorKeys,
  settings,
}: Dependencies) {
  const successor = (key: Buffer, { family, secret }: Presented) => hmac(key, `${family}.${secret}`)
  const refuse: Refusal = { refused: 'unknown' }

  const scopesOf = (record: SessionRecord): readonly string[] => {
    const scopes: unknown = JSON.parse(record.metadata || '[]')
    return Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : []
  }

  /** The successor of a used token if it is the current token of the family, otherwise null. */
  const successorIfCurrent = (presented: Presented, record: SessionRecord): string | null => {
    for (const key of successorKeys) {
      const next = successor(key, presented)
      if (equalConstantTime(sha256(next), record.csrfDigest)) return next
    }
    return null
  }

  /**
   * Reads the family's record and starts a clock from the store's time. It never runs ahead of the
   * store's clock, because the store read its time before the response arrived.
   */
  const readWithClock = async ({
    tag,
    handle,
  }: Presented): Promise<(TimedRecord & { readonly clock: () => number }) | null> => {
    const found = await orUnavailable(store.readTimed(tag, handle))
    if (!found) return null
    const receivedAt = performance.now()
    return { ...found, clock: () => Math.floor(found.atMs + performance.now() - receivedAt) }
  }

  return {
    /** Creates a family and returns its first token. */
    async begin(
      request: FastifyRequest | undefined,
      user: Row,
      scopes: readonly string[],
      authenticatedAtMs: number,
      amr: Methods,
    ): Promise<string> {
      const id = users.idOf(user)
      const [tag] = families.tagsOf(id)
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
        client: clients.seal(request, amr),
        metadata: JSON.stringify(scopes),
      }
      await orUnavailable(store.create(tag, record, maxFamilies))
      return `${family}.${tag}.${secret}`
    },

    /**
     * Exchanges a token. Takes at most two round trips, except in a race for the same token or
     * with a slow store.
     * @param issue called before the token is consumed, so the client keeps it if `issue` throws
     */
    async redeem<Issued>(
      token: string,
      issue: Issue<Issued>,
    ): Promise<Refreshed<Issued> | Refusal> {
      const presented = parse(token)
      if (!presented) return refuse
      const { tag, handle, family, secret } = presented
      let found = await readWithClock(presented)
      const id = found && decodeUserId(found.record.userId)
      if (!found || id === null || !families.tagsOf(id).includes(tag)) return refuse
      const user = await users.findById(id)
      if (!user || !users.isActive(user)) {
        await revokeEverything(id)
        return refuse
      }
      const { record } = found
      if (!hasEpoch(record, users.epochOf(user))) return refuse
      const amr = clients.methodsOf(record.client)
      const issueNow = () => issue(user, scopesOf(record), record.authenticatedAtMs, amr)
      const good = (issued: Issued, next: string | null) => ({
        user,
        issued,
        refreshToken: next && `${family}.${tag}.${next}`,
      })

      const digest = sha256(secret)
      for (let attempt = 1; equalConstantTime(digest, found.record.csrfDigest); attempt++) {
        if (attempt > maxAttempts)
          throw unavailableError(
            new Error('The state backend is too slow to rotate a refresh token'),
          )
        const issued = issueNow()
        if (!settings.rotate) return good(issued, null)
        const next = successor(successorKeys[0], presented)
        const now = found.clock()
        const patch = {
          csrfDigest: sha256(next),
          lastActivityAtMs: Date.now(),
          sudoUntilMs: now + settings.graceMs,
        }
        // A stalled store may run the write after the request has got 503. The client still has the
        // old token then, so the write must not happen.
        const notAfterMs = now + settings.waitMs
        if (
          await orUnavailable(store.update(tag, handle, patch, { csrfDigest: digest }, notAfterMs))
        )
          return good(issued, next)
        // Another request used the token first, the family has ended, or the write was too late.
        found = await readWithClock(presented)
        if (!found) return refuse
      }
      const next = successorIfCurrent(presented, found.record)
      if (next !== null && settings.graceMs > 0 && found.atMs < found.record.sudoUntilMs)
        return good(issueNow(), next)
      // Of several requests that detect the reuse, only the one that revokes the family reports it.
      return (await orUnavailable(store.revoke(tag, handle))) ? { refused: 'reuse', user } : refuse
    },

    /** Ends the token's family and returns its user; null if there was no live family. */
    async end(token: string): Promise<UserId | null> {
      const presented = parse(token)
      if (!presented) return null
      const record = await orUnavailable(store.read(presented.tag, presented.handle))
      // A used token ends the family too: nobody gains access by that.
      if (!record || !(await orUnavailable(store.revoke(presented.tag, presented.handle))))
        return null
      return decodeUserId(record.userId)
    },
  }
}

/**
 * Token families per user. Limits what one account can store, far above the number of devices that
 * a person has.
 */
const maxFamilies = 100

export type Rotation = ReturnType<typeof createRotation>
