import type { FastifyRequest } from 'fastify'
import {
  isOfEpoch,
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

/** A refresh token that was good, with what was issued for it. */
interface Refreshed<Issued> {
  readonly user: Row
  /** The successor; null where tokens are not rotated. */
  readonly refreshToken: string | null
  readonly issued: Issued
}

/** Creates the response to a refresh token. */
type Issue<Issued> = (
  user: Row,
  scopes: readonly string[],
  authenticatedAtMs: number,
  amr: Methods,
) => Issued

/** Why a refresh token was refused. `reuse` has ended its family. */
export type Refusal =
  | { readonly refused: 'unknown' }
  | { readonly refused: 'reuse'; readonly user: Row }

interface Settings {
  /** Lifetime of an unused token, in milliseconds. */
  readonly refreshMs: number
  readonly rotate: boolean
  readonly graceMs: number
  /** How long a call of the store is waited for, in milliseconds. */
  readonly waitMs: number
}

interface Dependencies {
  readonly store: SessionStore
  readonly users: Users
  readonly families: UserRecords
  readonly revokeEverything: RevokeEverything
  readonly clients: ClientRecords
  /** Keys of the digest that makes a token's successor. */
  readonly successorKeys: PurposeKeys
  readonly settings: Settings
}

/** Whatever the rotation, a sign-in is asked for again after a year. */
const absoluteMs = 365 * 86_400_000

/** Writes that the store found late before the request gets its 503. */
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
 * Refresh tokens in families (RFC 9700, 4.14.2). A family is a record of the session store, in families of its own: `handle`
 * is the digest of the family's secret, `csrfDigest` that of the token now good, `lastActivityAtMs` when it was made, and
 * `sudoUntilMs` until when, by the store's clock, the token before it is answered once more: no two processes need agree on
 * the time. A token's successor is a keyed digest of it, so that a repeated request gets the same successor though only digests are
 * stored; and a token is known to be of the family's past by its holding the family's secret, which no list shows.
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

  /** The successor of a token that has been used, when it is the one now good; null otherwise. */
  const repeated = (presented: Presented, record: SessionRecord): string | null => {
    for (const key of successorKeys) {
      const next = successor(key, presented)
      if (equalConstantTime(sha256(next), record.csrfDigest)) return next
    }
    return null
  }

  /** The family's record, and a clock that runs at the pace of the store's and never before it. */
  const look = async ({
    tag,
    handle,
  }: Presented): Promise<(TimedRecord & { readonly clock: () => number }) | null> => {
    const found = await orUnavailable(store.readTimed(tag, handle))
    if (!found) return null
    const receivedAt = performance.now()
    return { ...found, clock: () => Math.floor(found.atMs + performance.now() - receivedAt) }
  }

  return {
    /** Begins a family. */
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
     * Uses a token: two round trips at the most, but where two requests use one token at the same moment, or the store is
     * slow. @param issue called before the token is used up, so that what it throws costs the client nothing
     */
    async redeem<Issued>(
      token: string,
      issue: Issue<Issued>,
    ): Promise<Refreshed<Issued> | Refusal> {
      const presented = parse(token)
      if (!presented) return refuse
      const { tag, handle, family, secret } = presented
      let found = await look(presented)
      const id = found && decodeUserId(found.record.userId)
      if (!found || id === null || !families.tagsOf(id).includes(tag)) return refuse
      const user = await users.findById(id)
      if (!user || !users.isActive(user)) {
        await revokeEverything(id)
        return refuse
      }
      const { record } = found
      if (!isOfEpoch(record, users.epochOf(user))) return refuse
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
        // A stalled store runs what it was sent when it wakes up, by which time the request has had its 503 and the client
        // still holds this token: then the write must not happen.
        const notAfterMs = now + settings.waitMs
        if (
          await orUnavailable(store.update(tag, handle, patch, { csrfDigest: digest }, notAfterMs))
        )
          return good(issued, next)
        // Somebody was faster with the same token, the family has ended, or the write came too late.
        found = await look(presented)
        if (!found) return refuse
      }
      const next = repeated(presented, found.record)
      if (next !== null && settings.graceMs > 0 && found.atMs < found.record.sudoUntilMs)
        return good(issueNow(), next)
      // Of any number who find it out at the same moment one ends the family, and tells.
      return (await orUnavailable(store.revoke(tag, handle))) ? { refused: 'reuse', user } : refuse
    },

    /** Ends the token's family and tells whose it was; null when it was none. */
    async end(token: string): Promise<UserId | null> {
      const presented = parse(token)
      if (!presented) return null
      const record = await orUnavailable(store.read(presented.tag, presented.handle))
      // A token of the family's past ends it as well: its holder can only lose by it.
      if (!record || !(await orUnavailable(store.revoke(presented.tag, presented.handle))))
        return null
      return decodeUserId(record.userId)
    },
  }
}

/** Refresh families a user may have: a bound on what one account can store, far above what a person has devices. */
const maxFamilies = 100

export type Rotation = ReturnType<typeof createRotation>
