import type { FastifyReply, FastifyRequest } from 'fastify'
import { fail } from '../../lib/option-checks.js'
import type { AuthenticationMethod } from '../../ports/transport.js'
import type { Standing } from '../sessions/sessions.js'
import type { Row } from '../users/users.js'

/** Options of `completeLogin`. */
export interface CompleteLoginOptions {
  /** `session` or `bearer`. Default: the first one that is configured. */
  readonly transport?: string | undefined
  /** Sessions: whether it outlives the browser. Default false. */
  readonly rememberMe?: boolean | undefined
  /** Tokens: requested scopes, reduced to `grantableScopes`. Default `defaultScopes`. */
  readonly scopes?: readonly string[] | undefined
  /** Sessions: JSON of your own, at most 2 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** How the user authenticated, for `principal.amr`. Default none. */
  readonly amr?: readonly AuthenticationMethod[] | undefined
}

/** What only the plugin's own sign-ins know. */
interface SignInContext {
  /** When the user authenticated at a provider. Default now. */
  readonly authenticatedAt?: Date | undefined
  /** The session that the sign-in started in, for a browser that withholds its cookie. */
  readonly began?: Standing | null | undefined
}

/** Creates the session or the tokens, sets the cookies, calls the hooks, and returns the response body. */
export type Establish = (
  request: FastifyRequest,
  reply: FastifyReply,
  user: Row,
  options: CompleteLoginOptions & SignInContext,
) => Promise<object>

/** Ends what the request carries, clears its cookies, tells the hooks, and returns the answer's body. @throws UnauthenticatedError */
export type SignOut = (request: FastifyRequest, reply: FastifyReply) => Promise<object>

/** How one signs in and out, filled in by the features that know. */
export interface SignIns {
  /** By the name of the transport, in the order in which they are tried. */
  readonly establish: Map<string, Establish>
  signOut: SignOut | null
}

/** The sign-in that the options mean. @throws CRUDAUTH_CONFIG for a transport that is not configured */
export function establishOf({ establish }: SignIns, name?: string): Establish {
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
