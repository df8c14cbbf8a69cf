import type { Credentials } from '../../core/credentials/credentials.js'
import type { ClientRecords } from '../../core/sessions/client-record.js'
import type { NewSession, SessionInit, Sessions } from '../../core/sessions/sessions.js'
import type { Authenticate, LoginContext } from '../../core/sign-in/authenticate-password.js'
import type { AuthToolbox } from '../../core/toolbox.js'
import type { Users } from '../../core/users/users.js'
import { type DeviceInfo, deviceLabel } from '../../http/client-info.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import type { SessionRecord } from '../../ports/session-store.js'
import type { UserId } from '../../ports/user-store.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /**
     * Checks identifier and password as `/login` does: lockout, equal work, rehash, hooks. Returns the user's row.
     * @throws what `/login` answers: CRUDAUTH_BAD_CREDENTIALS (401), CRUDAUTH_LOCKED_OUT (429), CRUDAUTH_UNAVAILABLE and
     * CRUDAUTH_OVERLOADED (503)
     */
    authenticatePassword(
      request: AnyRequest,
      identifier: string,
      password: string,
    ): Promise<RegisteredUser>
    /** Sessions and refresh tokens of users. */
    readonly sessions: SessionsToolbox
  }
}

/** A live session as `app.crudAuth.sessions.list` tells of it; nothing in it authenticates. */
export interface SessionInfo {
  /** A cookie session, or a family of refresh tokens. */
  readonly kind: 'session' | 'refresh'
  /** Public handle, for `revoke`. */
  readonly sessionId: string
  readonly device: DeviceInfo
  /** The device in words, such as "Firefox on Windows". */
  readonly label: string
  readonly ip: string
  readonly createdAt: Date
  readonly lastActivity: Date
}

/**
 * Sessions, for hand-written routes. Every method throws `CRUDAUTH_UNAVAILABLE` (503) when shared state is unreachable;
 * `create` and the cookies need a session transport.
 */
export interface SessionsToolbox {
  /**
   * Makes a session of the user and ends the one that the request came with. Sets no cookies: `setCookies` does.
   * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_INTERNAL for what is no row with an id
   */
  create(request: AnyRequest, user: RegisteredUser, init?: SessionInit): Promise<NewSession>
  /** Live sessions, most recently active first. */
  list(userId: UserId): Promise<SessionInfo[]>
  /** Ends one of the user's sessions by its handle; false when it is not theirs, or none. */
  revoke(userId: UserId, sessionId: string): Promise<boolean>
  /** Ends all of the user's sessions, but `keep`; returns how many ended. */
  revokeAll(userId: UserId, options?: { readonly keep?: string | undefined }): Promise<number>
  /** Sets the session, CSRF and device cookies. */
  setCookies(request: AnyRequest, reply: AnyReply, session: NewSession): void
  /** Clears the session and CSRF cookies. */
  clearCookies(reply: AnyReply): void
}

interface Dependencies {
  readonly users: Users
  readonly authenticate: Authenticate
  readonly loginContext: (request: AnyRequest) => LoginContext
  /** Null without a session transport. */
  readonly sessions: Sessions | null
  readonly credentials: Credentials
  readonly clients: ClientRecords
}

export function createSessionToolbox({
  users,
  authenticate,
  loginContext,
  sessions: own,
  credentials: { revocables },
  clients,
}: Dependencies): Pick<AuthToolbox, 'authenticatePassword' | 'sessions'> {
  const needSession = () =>
    own ??
    fail('This method of "app.crudAuth.sessions" needs sessionTransport() among the "transports"')
  const infoOf =
    (kind: SessionInfo['kind']) =>
    (record: SessionRecord): SessionInfo => {
      const { ip, ...device } = clients.open(record.client)
      return {
        kind,
        sessionId: record.handle,
        device,
        label: deviceLabel(device),
        ip,
        createdAt: new Date(record.createdAtMs),
        lastActivity: new Date(record.lastActivityAtMs),
      }
    }

  const sessions: SessionsToolbox = {
    create: (request, user, init) => needSession().create(request, user, init),
    async list(userId) {
      const user = await users.findById(userId)
      if (!user) return []
      const lists = await Promise.all(
        revocables.map(async ({ kind, list }) => (await list(user)).map(infoOf(kind))),
      )
      return lists.flat().sort((a, b) => b.lastActivity.getTime() - a.lastActivity.getTime())
    },
    async revoke(userId, sessionId) {
      const ended = await Promise.all(revocables.map(({ revoke }) => revoke(userId, sessionId)))
      return ended.includes(true)
    },
    async revokeAll(userId, { keep } = {}) {
      const kept = keep === undefined ? undefined : { handle: keep }
      const ended = await Promise.all(revocables.map(({ revokeAll }) => revokeAll(userId, kept)))
      return ended.reduce((sum, count) => sum + count, 0)
    },
    setCookies: (_request, reply, made) => needSession().setCookies(reply, made),
    clearCookies: (reply) => needSession().clearCookies(reply),
  }

  return {
    async authenticatePassword(request, identifier, password) {
      const { user, forgive } = await authenticate(identifier, password, loginContext(request))
      await forgive()
      return users.publicView(user)
    },
    sessions,
  }
}
