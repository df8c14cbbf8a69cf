import type { FastifyRequest } from 'fastify'
import {
  kRequestAuth,
  type RequestAuth,
  type RequestWithAuth,
} from '../core/principal/request-principal.js'
import { ForbiddenError, InternalError } from '../errors.js'
import type { Principal, Transport, TransportToolbox } from '../ports/transport.js'

/** Decorator of the Fastify instance that contains the `AuthState`. */
export const kAuthState = Symbol('crudauth.state')

/**
 * Marks a plugin route that is public or authenticates by itself, in its `config` and on its
 * instance.
 */
export const kPublicRoute = Symbol('crudauth.public')

/** What gates need from the plugin. */
export interface AuthState {
  readonly transports: readonly Transport[]
  readonly toolbox: TransportToolbox
  readonly freshSeconds: number
  /** Whether bearer tokens are accepted, so that a 401 has a challenge (RFC 6750). */
  readonly bearer: boolean
  /** Whether a bearer token needs the scope `account` to change credentials. */
  readonly accountScope: boolean
  /** Whether sudo mode is on. */
  readonly sudo: boolean
  /** Logical name of the recovery field, or null. */
  readonly recovery: string | null
}

/** @throws InternalError if the plugin is not registered on the instance of the route */
export function stateOf(request: FastifyRequest): AuthState {
  const state = (request.server as unknown as { [kAuthState]?: AuthState })[kAuthState]
  if (!state)
    throw new InternalError('fastify-crudauth is not registered on the instance of this route')
  return state
}

/** Whether the route's instance accepts bearer tokens. */
export const hasBearer = (request: FastifyRequest): boolean =>
  (request.server as unknown as { [kAuthState]?: AuthState })[kAuthState]?.bearer === true

/** Whether the transport has been asked about the request. */
export function hasAsked(request: FastifyRequest, name: string): boolean {
  const outcomes = (request as RequestWithAuth)[kRequestAuth]?.outcomes
  return (
    outcomes !== undefined &&
    stateOf(request).transports.some(
      (transport, index) => transport.name === name && outcomes[index] !== undefined,
    )
  )
}

/** The record of the request. Created on first use, with room for all transports. */
function requestAuth(request: FastifyRequest): RequestAuth {
  const carrier = request as RequestWithAuth
  carrier[kRequestAuth] ??= {
    principal: null,
    outcomes: new Array(stateOf(request).transports.length),
  }
  return carrier[kRequestAuth]
}

/**
 * Sets the principal that a gate has accepted.
 * @throws ForbiddenError if an earlier gate accepted another user: what one user has proved must
 * not count for the other
 */
export function setPrincipal(request: FastifyRequest, principal: Principal): void {
  const auth = requestAuth(request)
  if (auth.principal && auth.principal.userId !== principal.userId) throw new ForbiddenError()
  auth.principal = principal
}

/** Checks the instance first, because each read of `routeOptions` builds a new object. */
export const isPublicRoute = (request: FastifyRequest): boolean =>
  (request.server as unknown as { [kPublicRoute]?: true })[kPublicRoute] === true &&
  (request.routeOptions?.config as { [kPublicRoute]?: true } | undefined)?.[kPublicRoute] === true

/** Asks one transport. Async, because a custom transport may throw synchronously. */
const ask = async (request: FastifyRequest, transport: Transport, toolbox: TransportToolbox) =>
  transport.authenticate(request, toolbox)

/**
 * Asks the transports in order, or only those in `only`. The first principal wins. Each transport
 * is asked at most once per request; its result is kept, even an error. Returns null if no
 * transport has a live credential. Rejects for an invalid credential.
 */
export async function authenticate(
  request: FastifyRequest,
  only?: readonly string[],
): Promise<Principal | null> {
  const { transports, toolbox } = stateOf(request)
  const { outcomes } = requestAuth(request)
  for (const [index, transport] of transports.entries()) {
    if (only !== undefined && !only.includes(transport.name)) continue
    outcomes[index] ??= ask(request, transport, toolbox)
    const principal = await outcomes[index]
    if (principal) return principal
  }
  return null
}
