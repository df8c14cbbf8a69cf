import type { FastifyReply, FastifyRequest } from 'fastify'
import { hmac, sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import type { CookieJar } from '../../http/cookies.js'
import { orUnavailable, unavailableError } from '../../lib/unavailable.js'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import { hasEpoch, type RevokeEverything, type UserRecords } from '../credentials/user-records.js'
import { checkMethods, type Methods } from '../principal/methods.js'
import type { KnownDevices } from '../sign-in/known-device.js'
import { assertMaySignIn } from '../sign-in/may-sign-in.js'
import { decodeUserId, encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'
import type { ClientRecords } from './client-record.js'
import {
  beginLifetime,
  cookieSeconds,
  needsTouch,
  remainingSeconds,
  type SessionLifetime,
} from './lifetime.js'
import { metadataText, type NewSession, type SessionInit } from './new-session.js'

/** A live session with its user. */
export interface LiveSession {
  /** Keyed digest of the user id, under which all sessions of the user are stored. */
  readonly tag: string
  readonly record: SessionRecord
  readonly user: Row
}

interface SessionSettings {
  readonly csrf: boolean
  readonly maxSessionsPerUser: number
  readonly lifetime: SessionLifetime
}

interface Dependencies {
  readonly store: SessionStore
  readonly users: Users
  readonly records: UserRecords
  readonly revokeEverything: RevokeEverything
  /** HMAC key that derives each CSRF token after the first. */
  readonly csrfKey: Buffer
  readonly clients: ClientRecords
  /** Encrypts the app's own data in sessions. */
  readonly metadata: Seal
  readonly settings: SessionSettings
  readonly cookies: { readonly session: CookieJar; readonly csrf: CookieJar }
  readonly devices: KnownDevices
}

/**
 * Session operations, built on the store's atomic primitives. They throw `UnavailableError` (503)
 * in an outage.
 */
export type Sessions = ReturnType<typeof createSessions>

const refuseUnavailable = (cause: unknown): never => {
  throw unavailableError(cause)
}

const cookieForm = /^[\w-]{43}\.[\w-]{22}$/

/** Where a session is stored. Nothing in it can authenticate. */
export interface SessionLocation {
  readonly tag: string
  readonly handle: string
}

export function createSessions({
  store,
  users,
  records,
  revokeEverything,
  csrfKey,
  clients,
  metadata: { seal, open },
  settings,
  cookies,
  devices,
}: Dependencies) {
  const { tagsOf } = records

  const parse = (request: FastifyRequest): SessionLocation | null => {
    const value = cookies.session.read(request)
    return value !== null && cookieForm.test(value)
      ? { tag: value.slice(44), handle: sha256(value.slice(0, 43)) }
      : null
  }

  /**
   * While secrets rotate, a user's sessions are stored under several tags. The cap applies to all
   * of them together.
   */
  const enforceCapAcrossTags = async (tags: readonly string[]) => {
    if (tags.length < 2 || settings.maxSessionsPerUser === Number.POSITIVE_INFINITY) return
    const lists = await Promise.all(
      tags.map(async (tag) => (await store.list(tag)).map((record) => ({ tag, record }))),
    )
    const surplus = lists
      .flat()
      .sort((a, b) => b.record.lastActivityAtMs - a.record.lastActivityAtMs)
      .slice(settings.maxSessionsPerUser)
    await Promise.all(surplus.map(({ tag, record }) => store.revoke(tag, record.handle)))
  }

  /** The record with its user, if both are valid. */
  const liveAt = async ({ tag, handle }: SessionLocation): Promise<LiveSession | null> => {
    const record = await store.read(tag, handle).catch(refuseUnavailable)
    const id = record && decodeUserId(record.userId)
    // `revokeAll` can't reach a tag whose secret is no longer configured, so such a session has
    // ended.
    if (!record || id === null || !tagsOf(id).includes(tag)) return null
    const user = await users.findById(id)
    if (!user || !users.isActive(user)) {
      await revokeEverything(id)
      return null
    }
    const epoch = users.epochOf(user)
    if (hasEpoch(record, epoch)) return { tag, record, user }
    // The epoch may have changed between the two reads, by a request that keeps this session.
    const now = await store.read(tag, handle).catch(refuseUnavailable)
    return now && hasEpoch(now, epoch) ? { tag, record: now, user } : null
  }

  return {
    tagsOf,

    /** Handle of the session that the request's cookie names, live or not. */
    handleOf: (request: FastifyRequest): string | null => parse(request)?.handle ?? null,

    /** Where the session that the request's cookie names would be stored, live or not. */
    locationOf: parse,

    /**
     * The live session stored there, with its user. For a request that comes without its cookie.
     */
    liveAt,

    /**
     * Creates a session and ends the one that the request came with.
     * @param startedIn where the previous session is stored, used if the browser didn't send its cookie
     * @throws ForbiddenError for a disabled account, InternalError for an invalid row,
     * BadRequestError for metadata over 2 KiB
     */
    async create(
      request: FastifyRequest,
      shown: Row,
      init: SessionInit = {},
      startedIn: SessionLocation | null = null,
    ): Promise<NewSession> {
      const user = await users.wholeRow(shown)
      assertMaySignIn(users, user)
      const methods = checkMethods(init.amr)
      const metadata = metadataText(init.metadata)
      const id = users.idOf(user)
      const tags = tagsOf(id)
      const secret = randomToken()
      const csrfToken = settings.csrf ? randomToken() : null
      const now = Date.now()
      const rememberMe = init.rememberMe ?? false
      const record: SessionRecord = {
        handle: sha256(secret),
        userId: encodeUserId(id),
        epoch: users.epochOf(user),
        csrfDigest: csrfToken === null ? '' : sha256(csrfToken),
        ...beginLifetime(settings.lifetime, rememberMe, now),
        authenticatedAtMs: Math.min(now, init.authenticatedAt?.getTime() ?? now),
        sudoUntilMs: 0,
        client: clients.seal(request, methods),
        metadata: metadata === '' ? '' : seal(metadata),
      }
      const previous = parse(request) ?? startedIn
      // Replaces the session in one step: that ends no other device's session, and in an outage the
      // user still has one of the two.
      const replaces = previous?.tag === tags[0] ? previous.handle : undefined
      const [deviceCookie] = await Promise.all([
        devices.enrol(request, user),
        orUnavailable(store.create(tags[0], record, settings.maxSessionsPerUser, replaces)),
      ])
      // Its tag differs: another user's session, or one made with an older secret. Revoke it only
      // once the new session exists.
      if (previous && replaces === undefined)
        await orUnavailable(store.revoke(previous.tag, previous.handle))
      await orUnavailable(enforceCapAcrossTags(tags))
      return {
        sessionId: record.handle,
        csrfToken,
        rememberMe,
        secretCookie: `${secret}.${tags[0]}`,
        deviceCookie,
      }
    },

    setCookies(reply: FastifyReply, session: NewSession): void {
      const seconds = cookieSeconds(settings.lifetime, session.rememberMe)
      cookies.session.write(reply, session.secretCookie, seconds)
      if (session.csrfToken !== null) cookies.csrf.write(reply, session.csrfToken, seconds)
      devices.setCookie(reply, session.deviceCookie)
    },

    /**
     * Replaces the session's CSRF token; the old one stops working. The new token is an HMAC over
     * the old one's digest, so that concurrent requests get the same token. Returns null if the
     * session has ended.
     */
    async rotateCsrf({ tag, record }: LiveSession): Promise<string | null> {
      const token = hmac(csrfKey, `${record.handle} ${record.csrfDigest}`)
      const csrfDigest = sha256(token)
      if (
        await orUnavailable(
          store.update(tag, record.handle, { csrfDigest }, { csrfDigest: record.csrfDigest }),
        )
      )
        return token
      const now = await orUnavailable(store.read(tag, record.handle))
      if (!now) return null
      if (now.csrfDigest === csrfDigest) return token
      const other = randomToken()
      return (await orUnavailable(store.update(tag, record.handle, { csrfDigest: sha256(other) })))
        ? other
        : null
    },

    setCsrfCookie(reply: FastifyReply, token: string, record: SessionRecord): void {
      cookies.csrf.write(reply, token, cookieSeconds(settings.lifetime, record.remember))
    },

    csrfCookie: (request: FastifyRequest): string | null => cookies.csrf.read(request),

    /** Clears the session's cookies. The device stays known. */
    clearCookies(reply: FastifyReply): void {
      cookies.session.clear(reply)
      if (settings.csrf) cookies.csrf.clear(reply)
    },

    /** The live session of the request, with its user; null if absent or ended. */
    async find(request: FastifyRequest): Promise<LiveSession | null> {
      const key = parse(request)
      return key ? liveAt(key) : null
    },

    /**
     * The app's own data of a session; undefined if there is none or it can no longer be decrypted.
     */
    metadataOf(record: SessionRecord): Record<string, unknown> | undefined {
      const text = record.metadata === '' ? null : open(record.metadata)
      return text === null ? undefined : JSON.parse(text)
    },

    /** How the user of a session authenticated. */
    methodsOf: (record: SessionRecord): Methods => clients.methodsOf(record.client),

    /**
     * Records activity, but rarely. The request waits for the write only if the session is
     * remembered, because its cookies are renewed too. Returns a function that renews them, or
     * null. Never rejects.
     */
    async touch(
      request: FastifyRequest,
      { tag, record }: { tag: string; record: SessionRecord },
    ): Promise<((reply: FastifyReply) => void) | null> {
      const now = Date.now()
      if (!needsTouch(record, now)) return null
      const touched = store.update(tag, record.handle, { lastActivityAtMs: now }).catch(() => false)
      // A session that has ended in the meantime must not overwrite the cookies of its replacement.
      if (!record.remember || !(await touched)) return null
      const seconds = remainingSeconds(record, now)
      const csrfToken = cookies.csrf.read(request)
      return (reply) => {
        const cookie = cookies.session.read(request)
        if (cookie !== null) cookies.session.write(reply, cookie, seconds)
        if (csrfToken !== null && sha256(csrfToken) === record.csrfDigest)
          cookies.csrf.write(reply, csrfToken, seconds)
      }
    },

    list: records.list,
    revoke: records.revoke,
    revokeAll: records.revokeAll,

    /**
     * Makes the caller's session valid under the user's next epoch as well, before the epoch
     * changes, so that it stays valid throughout. If the change fails, the extra epoch is harmless:
     * nothing was ever issued under it. Returns the new epoch, or the old one if the session has
     * ended or changed meanwhile.
     */
    async addNextEpoch(
      { tag, record }: { tag: string; record: SessionRecord },
      next: string,
    ): Promise<string> {
      const epoch = `${record.epoch} ${next}`
      const updated = await orUnavailable(
        store.update(tag, record.handle, { epoch }, { epoch: record.epoch }),
      )
      return updated ? epoch : record.epoch
    },
  }
}
