import type { Credentials } from '../../core/credentials/credentials.js'
import type { ClientRecords } from '../../core/sessions/client-record.js'
import type { NewSession, SessionInit } from '../../core/sessions/new-session.js'
import type { Sessions } from '../../core/sessions/sessions.js'
import type { Authenticate } from '../../core/sign-in/authenticate-password.js'
import type { SignIns } from '../../core/sign-in/complete.js'
import type { LoginContext } from '../../core/sign-in/known-device.js'
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
     * Verifies an identifier and a password like `/login`, with lockout, equal timing, rehashing
     * and hooks. Returns the row of the user.
     * @throws CRUDAUTH_BAD_REQUEST (400) if an argument isn't a string; CRUDAUTH_BAD_CREDENTIALS (401);
     * CRUDAUTH_FORBIDDEN (403) or the hook's own error if `onBeforeLogin` refuses;
     * CRUDAUTH_LOCKED_OUT (429); CRUDAUTH_UNAVAILABLE and CRUDAUTH_OVERLOADED (503)
     * @example
     * const user = await app.crudAuth.authenticatePassword(request, email, password)
     */
    authenticatePassword(
      request: AnyRequest,
      identifier: string,
      password: string,
    ): Promise<RegisteredUser>
    /** Sessions and refresh token families of users. */
    readonly sessions: SessionsToolbox
  }
}

/** A live session or refresh token family. Nothing in it authenticates. */
export interface SessionInfo {
  /** A cookie session, or a refresh token family. */
  readonly kind: 'session' | 'refresh'
  /** Handle for `revoke`. */
  readonly sessionId: string
  /** Browser and operating system, from the user agent at sign-in. */
  readonly device: DeviceInfo
  /** The device in words, such as "Firefox on Windows". */
  readonly label: string
  /** `request.ip` at sign-in. */
  readonly ip: string
  readonly createdAt: Date
  readonly lastActivity: Date
}

/**
 * Sessions and refresh token families of users: `app.crudAuth.sessions`. Methods throw
 * CRUDAUTH_UNAVAILABLE (503) if Redis is unreachable. `create` and the cookie methods need a
 * session transport.
 */
export interface SessionsToolbox {
  /**
   * Creates a session and ends the one that came with the request. Doesn't set cookies;
   * `setCookies` does.
   * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_INTERNAL for a row without an
   * id
   * @example
   * const session = await app.crudAuth.sessions.create(request, user)
   * app.crudAuth.sessions.setCookies(request, reply, session)
   */
  create(request: AnyRequest, user: RegisteredUser, init?: SessionInit): Promise<NewSession>
  /** Live sessions and refresh token families of a user, most recently active first. */
  list(userId: UserId): Promise<SessionInfo[]>
  /** Ends one session or family by its handle. False if the user has no such session. */
  revoke(userId: UserId, sessionId: string): Promise<boolean>
  /** Ends all sessions and families of a user, except `keep`. Returns how many ended. */
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
  readonly signIns: SignIns
}

export function createSessionToolbox({
  users,
  authenticate,
  loginContext,
  sessions: own,
  credentials: { revocables },
  clients,
  signIns,
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
      const { user, attempt } = await authenticate(identifier, password, loginContext(request))
      // The password alone doesn't clear the failures of an account with a second factor. Otherwise
      // an attacker who knows it could guess codes without limit.
      const isDone = !signIns.secondFactor?.isEnrolled(user)
      await (isDone ? attempt.forgive() : attempt.giveBack())
      return users.publicView(user)
    },
    sessions,
  }
}
