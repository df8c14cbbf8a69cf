import { UnauthenticatedError } from '../errors.js'
import { refuseCrossSite } from '../http/cross-site.js'
import type { AnyReply, AnyRequest, RegisteredUser } from '../ports/fastify.js'
import type { Principal, PrincipalInit, SecurityScheme } from '../ports/transport.js'
import type { UserStore } from '../ports/user-store.js'
import type { Core } from './core.js'
import { AuthenticatedPrincipal } from './principal/principal.js'
import { principalOf } from './principal/request-principal.js'
import { completeSignInWith } from './sign-in/complete.js'
import type { CompleteLoginOptions } from './sign-in/pending-sign-in.js'
import type { Sudo } from './sign-in/sudo.js'

/** `app.crudAuth`: what the routes use, for routes of your own. Each feature adds its part. */
export interface AuthToolbox {
  /** Sudo mode. */
  readonly sudo: Sudo
  /**
   * Your user store, with the time limit `timeouts.usersMs`. Driver errors become
   * CRUDAUTH_UNAVAILABLE.
   */
  readonly users: UserStore<RegisteredUser>
  /**
   * Finishes a custom sign-in like `/login` or `/token`: creates the session or the tokens, sets
   * the cookies, calls `onAfterLogin`, and returns the response body.
   * @param user who has just authenticated
   * @throws CRUDAUTH_FORBIDDEN (403) for a disabled account; CRUDAUTH_BAD_REQUEST (400) for metadata
   * above 2 KiB; CRUDAUTH_INTERNAL for a row without an id or an unknown `amr`; CRUDAUTH_UNAVAILABLE
   * (503); CRUDAUTH_CONFIG
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
   * Signs out like `/logout`: ends the session that a gate has authenticated, revokes the refresh
   * tokens of the request, clears their cookies, and calls `onAfterLogout`.
   * @throws CRUDAUTH_UNAUTHENTICATED (401) if there is nothing to end; CRUDAUTH_UNAVAILABLE (503)
   */
  completeLogout(request: AnyRequest, reply: AnyReply): Promise<object>
  /**
   * Authenticates a request outside a gate, for middleware and WebSockets. It doesn't check the
   * CSRF token, doesn't record activity, and treats invalid credentials as absent. Don't use it to
   * authorize a change.
   * @throws CRUDAUTH_UNAVAILABLE (503)
   * @example
   * const principal = await app.crudAuth.resolvePrincipal(request)
   */
  resolvePrincipal(request: AnyRequest): Promise<Principal | null>
  /** Whether the principal of the request signed in within `freshSeconds`, or is in sudo mode. */
  isFresh(request: AnyRequest): boolean
  /**
   * Ends every way into the account of `request.principal`: sessions, tokens, provider links and
   * message tokens. The password becomes unusable. Deleting or anonymizing the row is up to you.
   * @throws CRUDAUTH_UNAUTHENTICATED (401); CRUDAUTH_UNAVAILABLE (503)
   * @example
   * app.delete('/account', { preHandler: [app.currentUser(), app.requireSudo] }, async (request) =>
   * {
   *   const { userId } = request.principal
   *   await app.crudAuth.deleteAccount(request)
   *   await db.deleteFrom('users').where('id', '=', userId).execute()
   *   return { detail: 'Account deleted' }
   * })
   */
  deleteAccount(request: AnyRequest): Promise<void>
  /** Messages to users. */
  readonly delivery: DeliveryToolbox
  /** Creates the principal of a user row, for custom transports. Null for a disabled account. */
  createPrincipal(user: RegisteredUser, init: PrincipalInit): Principal | null
  /**
   * Refuses a cross-site request of a browser, like `/login` does (Fetch Metadata, then `Origin`).
   * @throws CRUDAUTH_CROSS_SITE (403)
   */
  refuseCrossSite(request: AnyRequest): void
  /** OpenAPI security schemes of the transports, by name. */
  securitySchemes(): Record<string, SecurityScheme>
}

/** `app.crudAuth.delivery`. */
export interface DeliveryToolbox {
  /**
   * Resolves when every message has been delivered or given up. For platforms that freeze a
   * function after its response.
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
  async completeLogin(request, reply, user, options = {}) {
    const complete = completeSignInWith({ users, signIns }, options.transport)
    // A row without the columns of the second factor must not pass for an account without one.
    const row = signIns.secondFactor ? await users.presentRow(user) : user
    return complete(request, reply, row, options)
  },
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
