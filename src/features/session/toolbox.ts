import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import type { NewSession, SessionInit } from '../../core/sessions/sessions.js'
import type { Sudo } from '../../core/sign-in/sudo.js'
import type { Services } from '../../groups/parts.js'
import { refuseCrossSite } from '../../http/cross-site.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import type { SessionRecord } from '../../ports/session-store.js'
import type { Principal, PrincipalInit, SecurityScheme, TransportToolbox } from '../../ports/transport.js'
import type { UserId, UserStore } from '../../ports/user-store.js'
import type { PasswordsToolbox } from '../account/toolbox.js'
import { type IssuedTokens, refreshTokens } from '../bearer/tokens.js'
import { createRecoveryToolbox, type RecoveryToolbox } from '../email/toolbox.js'
import { createOAuthToolbox, type OAuthToolbox } from '../oauth/toolbox.js'

/** A live session as `app.auth.sessions.list` tells of it; nothing in it authenticates. */
export interface SessionInfo {
  /** A cookie session, or a line of refresh tokens. */
  readonly kind: 'session' | 'refresh'
  /** Public handle, for `revoke`. */
  readonly sessionId: string
  readonly device: string
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

/** `app.auth`: each hardened path that the routes use, for hand-written ones. */
export interface AuthToolbox {
  /**
   * Checks identifier and password as `/login` does: lockout, equal work, rehash, hooks. Returns the user's row.
   * @throws what `/login` answers: CRUDAUTH_BAD_CREDENTIALS (401), CRUDAUTH_LOCKED_OUT (429), CRUDAUTH_UNAVAILABLE and
   * CRUDAUTH_OVERLOADED (503)
   */
  authenticatePassword(request: AnyRequest, identifier: string, password: string): Promise<RegisteredUser>
  /**
   * Tokens for a user who has just proved a credential, as `/token` issues them.
   * @param options `scopes`: what is asked for, cut to `grantableScopes`; none for an empty list, default `defaultScopes`.
   * `request`: names device and address in the lists of sessions
   * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_INTERNAL for what is no row with an id, for scopes that
   * are no array of strings, and for a token that would not be accepted; CRUDAUTH_CONFIG without a bearer transport or
   * a private key; CRUDAUTH_UNAVAILABLE (503)
   */
  issueTokens(
    user: RegisteredUser,
    options?: { readonly scopes?: readonly string[] | undefined; readonly request?: AnyRequest | undefined },
  ): Promise<IssuedTokens>
  /**
   * Uses a refresh token as `/refresh` does.
   * @throws CRUDAUTH_INVALID_TOKEN (401); CRUDAUTH_CONFIG without a bearer transport; CRUDAUTH_UNAVAILABLE (503)
   */
  refreshTokens(request: AnyRequest, refreshToken: string): Promise<IssuedTokens>
  /** Sets the refresh cookie, as `/token` does where tokens travel so. @throws CRUDAUTH_CONFIG without a bearer transport */
  setRefreshCookie(reply: AnyReply, refreshToken: string): void
  /** Clears the refresh cookie. @throws CRUDAUTH_CONFIG without a bearer transport */
  clearRefreshCookie(reply: AnyReply): void
  /** Sessions and refresh tokens of users. */
  readonly sessions: SessionsToolbox
  readonly sudo: Sudo
  /** Verification, password reset and change of address. */
  readonly recovery: RecoveryToolbox
  /** Accounts at providers. */
  readonly oauth: OAuthToolbox
  readonly users: UserStore<RegisteredUser>
  readonly passwords: PasswordsToolbox
  /** The principal of a row, for a transport of the app's own; null for a disabled account. */
  createPrincipal(user: RegisteredUser, init: PrincipalInit): Principal | null
  /** Refuses a browser's cross-site post, as `/login` does. @throws CRUDAUTH_CROSS_SITE (403) */
  refuseCrossSite(request: AnyRequest): void
  /** The OpenAPI security schemes of the transports, by name. */
  securitySchemes(): Record<string, SecurityScheme>
}

interface Parts {
  readonly services: Services
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly sudo: Sudo
  readonly transportToolbox: TransportToolbox
  readonly schemes: Record<string, SecurityScheme>
}

export function createToolbox({ services, passwords, policy, sudo, transportToolbox, schemes }: Parts): AuthToolbox {
  const { users } = services

  const { bearer, session } = services
  const needSession = () =>
    (session ?? fail('This method of "app.auth.sessions" needs sessionTransport() among the "transports"')).sessions
  const needBearer = () => (bearer ?? fail('This method of "app.auth" needs bearerTransport() among the "transports"')).bearer
  const infoOf =
    (kind: SessionInfo['kind']) =>
    (record: SessionRecord): SessionInfo => ({
      kind,
      sessionId: record.handle,
      device: record.device,
      ip: record.ip,
      createdAt: new Date(record.createdAtMs),
      lastActivity: new Date(record.lastActivityAtMs),
    })

  const sessions: SessionsToolbox = {
    create: (request, user, init) => needSession().create(request, user, init),
    async list(userId) {
      const user = await users.findById(userId)
      if (!user) return []
      const [own, families] = await Promise.all([session?.sessions.list(user) ?? [], bearer?.bearer.list(user) ?? []])
      return [...own.map(infoOf('session')), ...families.map(infoOf('refresh'))].sort(
        (a, b) => b.lastActivity.getTime() - a.lastActivity.getTime(),
      )
    },
    async revoke(userId, sessionId) {
      const ended = await Promise.all([
        session?.sessions.revoke(userId, sessionId) ?? false,
        bearer?.bearer.revoke(userId, sessionId) ?? false,
      ])
      return ended.includes(true)
    },
    async revokeAll(userId, { keep } = {}) {
      const kept = keep === undefined ? undefined : { handle: keep }
      const ended = await Promise.all([
        session?.sessions.revokeAll(userId, kept) ?? 0,
        bearer?.bearer.revokeAll(userId, kept) ?? 0,
      ])
      return ended[0] + ended[1]
    },
    setCookies: (request, reply, made) => needSession().setCookies(request, reply, made),
    clearCookies: (reply) => needSession().clearCookies(reply),
  }

  return {
    async authenticatePassword(request, identifier, password) {
      const { user, forgive } = await services.authenticate(identifier, password, services.loginContext(request))
      await forgive()
      return user
    },
    issueTokens: async (user, { scopes, request } = {}) => needBearer().issue(request, user, scopes),
    refreshTokens: async (request, refreshToken) => refreshTokens(needBearer(), services.emit, request, refreshToken),
    setRefreshCookie: (reply, refreshToken) => needBearer().setCookie(reply, refreshToken),
    clearRefreshCookie: (reply) => needBearer().clearCookie(reply),
    sessions,
    sudo,
    recovery: createRecoveryToolbox(services),
    oauth: createOAuthToolbox(services),
    users: users.store,
    passwords: {
      hash: passwords.hash,
      verify: passwords.verify,
      isUsable: passwords.isUsable,
      unusable: passwords.unusable,
      validate: policy,
    },
    createPrincipal: transportToolbox.createPrincipal,
    refuseCrossSite: (request) => refuseCrossSite(request, services.trustedOrigins),
    securitySchemes: () => ({ ...schemes }),
  }
}
