import type { FastifyReply, FastifyRequest } from 'fastify'
import { fail } from '../../lib/option-checks.js'
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
}

/** Makes what a sign-in ends in, sets its cookies, tells the hooks, and returns the answer's body. */
export type Establish = (
  request: FastifyRequest,
  reply: FastifyReply,
  user: Row,
  options: CompleteLoginOptions,
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
