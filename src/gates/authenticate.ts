import type { FastifyRequest } from 'fastify'
import {
  type Carrier,
  kRequestAuth,
  type RequestAuth,
} from '../core/principal/request-principal.js'
import { ForbiddenError, InternalError } from '../errors.js'
import type { Principal, Transport, TransportToolbox } from '../ports/transport.js'

/** Where an app's authentication hangs on its Fastify instance, and a request's on the request. */
export const kAuthState = Symbol('crudauth.state')

/** Marks a route of the plugin's own that is for everybody or authenticates by itself: in its `config`, and its instance. */
export const kPublicRoute = Symbol('crudauth.public')

/** What gates need of the plugin. */
export interface AuthState {
  readonly transports: readonly Transport[]
  readonly toolbox: TransportToolbox
  readonly freshSeconds: number
  /** Whether bearer tokens are accepted, which a 401 then says (RFC 6750). */
  readonly bearer: boolean
  /** Whether a bearer token needs the scope `account` to change credentials. */
  readonly accountScope: boolean
  /** False: sudo mode is off. */
  readonly sudo: boolean
  /** Logical name of the recovery factor, or null. */
  readonly recovery: string | null
}

/** @throws InternalError when the plugin is not registered where the route is */
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
  const outcomes = (request as Carrier)[kRequestAuth]?.outcomes
  return (
    outcomes !== undefined &&
    stateOf(request).transports.some(
      (transport, index) => transport.name === name && outcomes[index] !== undefined,
    )
  )
}

/** Makes the request's record on first use, as large as it will be. */
function requestAuth(request: FastifyRequest): RequestAuth {
  const carrier = request as Carrier
  carrier[kRequestAuth] ??= {
    principal: null,
    outcomes: new Array(stateOf(request).transports.length),
  }
  return carrier[kRequestAuth]
}

/**
 * Lets the request go on as the principal that a gate has judged.
 * @throws ForbiddenError when an earlier gate has judged another user: what one has proved must not serve the other
 */
export function setPrincipal(request: FastifyRequest, principal: Principal): void {
  const auth = requestAuth(request)
  if (auth.principal && auth.principal.userId !== principal.userId) throw new ForbiddenError()
  auth.principal = principal
}

/** Asks the instance first, since `routeOptions` is made anew each time it is read. */
export const isPublicRoute = (request: FastifyRequest): boolean =>
  (request.server as unknown as { [kPublicRoute]?: true })[kPublicRoute] === true &&
  (request.routeOptions?.config as { [kPublicRoute]?: true } | undefined)?.[kPublicRoute] === true

/** Asks one transport. A transport of the app's own may throw before it has made a promise. */
const ask = async (request: FastifyRequest, transport: Transport, toolbox: TransportToolbox) =>
  transport.authenticate(request, toolbox)

/**
 * Asks the transports in order (or only those named), each at most once a request: an error is kept as well. The first
 * credential present wins. Null if there is none. Rejects for an invalid credential.
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
