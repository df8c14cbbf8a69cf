import type { FastifyReply, FastifyRequest } from 'fastify'
import { fail } from '../../lib/option-checks.js'
import type { AuthenticationMethod } from '../../ports/transport.js'
import type { SessionLocation } from '../sessions/sessions.js'
import type { Row } from '../users/users.js'

/** Options of `completeLogin`. */
export interface CompleteLoginOptions {
  /** `session` or `bearer`. Default: `session` if it is configured, otherwise `bearer`. */
  readonly transport?: string | undefined
  /** Sessions: whether the session outlives the browser. Default false. */
  readonly rememberMe?: boolean | undefined
  /** Tokens: requested scopes, reduced to `grantableScopes`. Default `defaultScopes`. */
  readonly scopes?: readonly string[] | undefined
  /** Sessions: JSON of your own, at most 2 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /**
   * How the user authenticated, for `principal.amr`. Default none.
   * @throws CRUDAUTH_INTERNAL for unknown methods
   */
  readonly amr?: readonly AuthenticationMethod[] | undefined
}

/** Further options, for the plugin's own sign-ins only. */
interface SignInContext {
  /** When the user authenticated at a provider. Default now. */
  readonly authenticatedAt?: Date | undefined
  /**
   * Where the session that started the sign-in is stored, for a browser that doesn't send its
   * cookie.
   */
  readonly startedIn?: SessionLocation | null | undefined
}

/**
 * Creates the session or the tokens, sets the cookies, calls the hooks, and returns the response
 * body.
 */
export type CompleteSignIn = (
  request: FastifyRequest,
  reply: FastifyReply,
  user: Row,
  options: CompleteLoginOptions & SignInContext,
) => Promise<object>

/**
 * Ends the request's session and tokens, clears their cookies, calls the hooks, and returns the
 * response body.
 * @throws UnauthenticatedError
 */
export type SignOut = (request: FastifyRequest, reply: FastifyReply) => Promise<object>

/** How to sign in and out. The features register their implementations. */
export interface SignIns {
  /** By name of the transport. The session comes first, whatever the order of the transports. */
  readonly establish: Map<string, CompleteSignIn>
  signOut: SignOut | null
}

/**
 * The sign-in of the named transport. Default: the session, or tokens where there are no sessions.
 * @throws CRUDAUTH_CONFIG for a transport that is not configured
 */
export function completeSignInWith({ establish }: SignIns, name?: string): CompleteSignIn {
  const [first] = establish.values()
  return (
    (name === undefined ? first : establish.get(name)) ??
    fail(
      name === undefined
        ? '"app.crudAuth.completeLogin" needs sessionTransport() or bearerTransport() among the "transports"'
        : `"app.crudAuth.completeLogin" knows no transport "${name}" that signs in`,
    )
  )
}
