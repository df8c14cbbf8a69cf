import { UnauthenticatedError } from '../errors.js'
import { refuseCrossSite } from '../http/cross-site.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../ports/fastify.js'
import type { Principal, PrincipalInit, SecurityScheme } from '../ports/transport.js'
import type { UserStore } from '../ports/user-store.js'
import type { Core } from './core.js'
import { AuthenticatedPrincipal } from './principal/principal.js'
import { principalOf } from './principal/request-principal.js'
import { type CompleteLoginOptions, establishOf } from './sign-in/complete.js'
import type { Sudo } from './sign-in/sudo.js'

/** `app.crudAuth`: each hardened path that the routes use, for hand-written ones. Features add their parts. */
export interface AuthToolbox {
  readonly sudo: Sudo
  readonly users: UserStore<RegisteredUser>
  /**
   * Ends a hand-written sign-in as `/login` or `/token` does: makes the session or the tokens, sets the cookies, calls
   * `onAfterLogin`. Returns the body of their answer.
   * @param user who has just proved a credential
   * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_UNAVAILABLE (503); CRUDAUTH_CONFIG
   * @example
   * const user = await app.crudAuth.authenticatePassword(request, identifier, password)
   * return app.crudAuth.completeLogin(request, reply, user, { rememberMe: true })
   */
  completeLogin(
    request: AnyRequest,
    reply: AnyReply,
    user: RegisteredUser,
    options?: CompleteLoginOptions,
  ): Promise<object>
  /**
   * Signs out as `/logout` does: ends the session that a gate has authenticated and the families of the refresh tokens that the
   * request carries, clears their cookies, calls `onAfterLogout`.
   * @throws CRUDAUTH_UNAUTHENTICATED (401) when there is nothing to end; CRUDAUTH_UNAVAILABLE (503)
   */
  completeLogout(request: AnyRequest, reply: AnyReply): Promise<object>
  /**
   * Who is asking, for middleware and WebSockets: no CSRF token is asked for, no activity is written back, and a credential
   * that was tampered with is none. Do not use it to authorize a change.
   * @throws CRUDAUTH_UNAVAILABLE (503)
   */
  resolvePrincipal(request: AnyRequest): Promise<Principal | null>
  /** Whether the principal that a gate has set proved a credential within `freshSeconds`, or stands in sudo. */
  isFresh(request: AnyRequest): boolean
  /**
   * Ends every way into the account of `request.principal`: sessions, tokens, links, one-time values; the password becomes
   * unusable. The row is the app's, to delete or to anonymise.
   * @throws CRUDAUTH_UNAUTHENTICATED (401); CRUDAUTH_UNAVAILABLE (503)
   * @example
   * app.delete('/account', { preHandler: [app.currentUser(), app.requireSudo] }, async (request) => {
   *   const { userId } = request.principal
   *   await app.crudAuth.deleteAccount(request)
   *   await db.deleteFrom('users').where('id', '=', userId).execute()
   *   return { detail: 'Account deleted' }
   * })
   */
  deleteAccount(request: AnyRequest): Promise<void>
  /** Messages on their way. */
  readonly delivery: DeliveryToolbox
  /** The principal of a row, for a transport of the app's own; null for a disabled account. */
  createPrincipal(user: RegisteredUser, init: PrincipalInit): Principal | null
  /** Refuses a browser's cross-site post, as `/login` does. @throws CRUDAUTH_CROSS_SITE (403) */
  refuseCrossSite(request: AnyRequest): void
  /** The OpenAPI security schemes of the transports, by name. */
  securitySchemes(): Record<string, SecurityScheme>
}

/** `app.crudAuth.delivery`. */
export interface DeliveryToolbox {
  /**
   * Resolves when every message has been delivered or given up. For functions that are frozen after the answer.
   * @example
   * context.waitUntil(app.crudAuth.delivery.settled())
   */
  settled(): Promise<void>
}

/** The part of `app.crudAuth` that belongs to no feature. */
export const createCoreToolbox = (
  { sudo, users, delivery, deleteAccount, signIns, transportToolbox, settings }: Core,
  schemes: Readonly<Record<string, SecurityScheme>>,
  resolvePrincipal: AuthToolbox['resolvePrincipal'],
): Pick<
  AuthToolbox,
  | 'sudo'
  | 'users'
  | 'delivery'
  | 'completeLogin'
  | 'completeLogout'
  | 'resolvePrincipal'
  | 'isFresh'
  | 'deleteAccount'
  | 'createPrincipal'
  | 'refuseCrossSite'
  | 'securitySchemes'
> => ({
  sudo,
  users: users.store,
  delivery: { settled: async () => delivery?.settled() },
  completeLogin: async (request, reply, user, options = {}) =>
    establishOf(signIns, options.transport)(request, reply, user, options),
  async completeLogout(request, reply) {
    if (!signIns.signOut) throw new UnauthenticatedError()
    return signIns.signOut(request, reply)
  },
  resolvePrincipal,
  isFresh(request) {
    const principal = principalOf(request)
    return principal !== null && AuthenticatedPrincipal.isFresh(principal, settings.freshSeconds)
  },
  deleteAccount,
  createPrincipal: transportToolbox.createPrincipal,
  refuseCrossSite: (request) => refuseCrossSite(request, settings.trustedOrigins),
  securitySchemes: () => ({ ...schemes }),
})
