import type { FastifyReply, FastifyRequest } from 'fastify'
import { hmac, sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { BadRequestError } from '../../errors.js'
import type { CookieJar } from '../../http/cookies.js'
import { orUnavailable, unavailableError } from '../../lib/unavailable.js'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import { isOfEpoch, type RevokeEverything, type UserRecords } from '../credentials/user-records.js'
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
import type { NewSession, SessionInit } from './new-session.js'

/** A live session with its user. */
export interface LiveSession {
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
  /** Key of the digests that are CSRF tokens after the first. */
  readonly csrfKey: Buffer
  readonly clients: ClientRecords
  /** Of the app's own data in sessions. */
  readonly metadata: Seal
  readonly settings: SessionSettings
  readonly cookies: { readonly session: CookieJar; readonly csrf: CookieJar }
  readonly devices: KnownDevices
}

/** Everything done with sessions, over the store's atomic primitives. Throws `UnavailableError` (503) in an outage. */
export type Sessions = ReturnType<typeof createSessions>

const refuseUnavailable = (cause: unknown): never => {
  throw unavailableError(cause)
}

const cookieForm = /^[\w-]{43}\.[\w-]{22}$/
const maxMetadataBytes = 2048

/** Where a session is stored. Nothing in it authenticates. */
export interface Standing {
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

  const parse = (request: FastifyRequest): Standing | null => {
    const value = cookies.session.read(request)
    return value !== null && cookieForm.test(value)
      ? { tag: value.slice(44), handle: sha256(value.slice(0, 43)) }
      : null
  }

  /** While secrets rotate a user's sessions stand under several tags, and the cap holds over all of them. */
  const capOverTags = async (tags: readonly string[]) => {
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

  /** The record with its user, if both are still good. */
  const liveAt = async ({ tag, handle }: Standing): Promise<LiveSession | null> => {
    const record = await store.read(tag, handle).catch(refuseUnavailable)
    const id = record && decodeUserId(record.userId)
    // A tag made with a secret that is no longer configured is out of reach of `revokeAll`, so it has ended.
    if (!record || id === null || !tagsOf(id).includes(tag)) return null
    const user = await users.findById(id)
    if (!user || !users.isActive(user)) {
      await revokeEverything(id)
      return null
    }
    return isOfEpoch(record, users.epochOf(user)) ? { tag, record, user } : null
  }

  return {
    tagsOf,

    /** Handle of the session that the request claims to be of, live or not. */
    handleOf: (request: FastifyRequest): string | null => parse(request)?.handle ?? null,

    /** Where the session that the request claims to be of would stand, live or not. */
    standingOf: parse,

    /** The live session that stands there, with its user, for a request that does not bring its cookie. */
    liveAt,

    /**
     * Makes a session and ends the one that the request came with.
     * @param began where the session stands that the request would have come with, had its browser sent the cookie
     * @throws ForbiddenError for a disabled account, InternalError for what is no row
     */
    async create(
      request: FastifyRequest,
      shown: Row,
      init: SessionInit = {},
      began: Standing | null = null,
    ): Promise<NewSession> {
      const user = await users.wholeRow(shown)
      assertMaySignIn(users, user)
      const methods = checkMethods(init.amr)
      const metadata = init.metadata === undefined ? '' : JSON.stringify(init.metadata)
      if (Buffer.byteLength(metadata) > maxMetadataBytes)
        throw new BadRequestError('The session metadata is too large')
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
      const previous = parse(request) ?? began
      // In one step, so that renewing a session neither pushes another device out nor, in an outage, leaves nobody signed in.
      const replaces = previous?.tag === tags[0] ? previous.handle : undefined
      const [deviceCookie] = await Promise.all([
        devices.enrol(request, user),
        orUnavailable(store.create(tags[0], record, settings.maxSessionsPerUser, replaces)),
      ])
      // Somebody else's, or one made with an older secret: not before there is a new one.
      if (previous && replaces === undefined)
        await orUnavailable(store.revoke(previous.tag, previous.handle))
      await orUnavailable(capOverTags(tags))
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
     * A new CSRF token for the session; the old one is dead. It is a keyed digest of the one before, so that requests that
     * ask at the same moment are all given the same one. Null when the session has ended.
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

    /** Clears the session's cookies; the device stays known. */
    clearCookies(reply: FastifyReply): void {
      cookies.session.clear(reply)
      if (settings.csrf) cookies.csrf.clear(reply)
    },

    /** The live session of the request, with its user; null if absent or ended. */
    async find(request: FastifyRequest): Promise<LiveSession | null> {
      const key = parse(request)
      return key ? liveAt(key) : null
    },

    /** The app's own data of a session; none where it cannot be read any more. */
    metadataOf(record: SessionRecord): Record<string, unknown> | undefined {
      const text = record.metadata === '' ? null : open(record.metadata)
      return text === null ? undefined : JSON.parse(text)
    },

    /** How the user of a session authenticated. */
    methodsOf: (record: SessionRecord): Methods => clients.methodsOf(record.client),

    /**
     * Writes activity back, rarely, and off the request's path unless a remembered session's cookies are to live on as long:
     * what renews them is returned then. Never rejects.
     */
    async touch(
      request: FastifyRequest,
      { tag, record }: { tag: string; record: SessionRecord },
    ): Promise<((reply: FastifyReply) => void) | null> {
      const now = Date.now()
      if (!needsTouch(record, now)) return null
      const touched = store.update(tag, record.handle, { lastActivityAtMs: now }).catch(() => false)
      // A session that has ended meanwhile must not take the place of the one that replaced it in the browser.
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
     * Before the user's epoch changes: the caller's session will stand under the new one as well as the old, so that it is
     * live at every moment. Should the change not come about, nothing has ever been under that epoch. Returns what the
     * record's epoch is now.
     */
    async announceEpoch(
      { tag, record }: { tag: string; record: SessionRecord },
      next: string,
    ): Promise<string> {
      const epoch = `${record.epoch} ${next}`
      const announced = await orUnavailable(
        store.update(tag, record.handle, { epoch }, { epoch: record.epoch }),
      )
      return announced ? epoch : record.epoch
    },
  }
}
