import type { FastifyRequest } from 'fastify'
import { ForbiddenError, InternalError } from '../errors.js'
import type { Principal, Transport, TransportToolbox } from '../ports/transport.js'

/** Where an app's authentication hangs on its Fastify instance, and a request's on the request. */
export const kAuthState = Symbol('crudauth.state')
export const kRequestAuth = Symbol('crudauth.request')

/** Marks in a route's `config` a route of the plugin's own that is for everybody or authenticates by itself. */
export const kPublicRoute = Symbol('crudauth.public')

/** What gates need of the plugin. */
export interface AuthState {
  readonly transports: readonly Transport[]
  readonly toolbox: TransportToolbox
  readonly freshSeconds: number
  /** Whether bearer tokens are accepted, which a 401 then says (RFC 6750). */
  readonly bearer: boolean
  /** False: nobody stands in sudo. */
  readonly sudo: boolean
  /** Logical name of the recovery factor, or null. */
  readonly recovery: string | null
}

/** What is known of a request so far. */
interface RequestAuth {
  principal: Principal | null
  /** By the transport's place; each is asked at most once a request, however many gates ask. */
  readonly outcomes: (Promise<Principal | null> | undefined)[]
}

type Carrier = FastifyRequest & { [kRequestAuth]?: RequestAuth | null }

/** @throws InternalError when the plugin is not registered where the route is */
export function stateOf(request: FastifyRequest): AuthState {
  const state = (request.server as unknown as { [kAuthState]?: AuthState })[kAuthState]
  if (!state) throw new InternalError('fastify-crudauth is not registered on the instance that this route belongs to')
  return state
}

/** Whether the route's instance accepts bearer tokens. */
export const hasBearer = (request: FastifyRequest): boolean =>
  (request.server as unknown as { [kAuthState]?: AuthState })[kAuthState]?.bearer === true

/** Whether the transport has been asked about the request. */
export function hasAsked(request: FastifyRequest, name: string): boolean {
  const outcomes = (request as Carrier)[kRequestAuth]?.outcomes
  return (
    outcomes !== undefined && stateOf(request).transports.some((transport, index) => transport.name === name && outcomes[index])
  )
}

/** Makes the request's record on first use. */
function requestAuth(request: FastifyRequest): RequestAuth {
  const carrier = request as Carrier
  carrier[kRequestAuth] ??= { principal: null, outcomes: [] }
  return carrier[kRequestAuth]
}

export const principalOf = (request: FastifyRequest): Principal | null => (request as Carrier)[kRequestAuth]?.principal ?? null

/**
 * Lets the request go on as the principal that a gate has judged.
 * @throws ForbiddenError when an earlier gate has judged another user: what one has proved must not serve the other
 */
export function setPrincipal(request: FastifyRequest, principal: Principal): void {
  const auth = requestAuth(request)
  if (auth.principal && auth.principal.userId !== principal.userId) throw new ForbiddenError()
  auth.principal = principal
}

export const isPublicRoute = (request: FastifyRequest): boolean =>
  (request.routeOptions?.config as { [kPublicRoute]?: true } | undefined)?.[kPublicRoute] === true

/**
 * Asks the transports in order (or only the one named); the first credential present wins. Null when none is. A credential
 * that was tampered with throws.
 */
export async function authenticate(request: FastifyRequest, only?: string): Promise<Principal | null> {
  const { transports, toolbox } = stateOf(request)
  const { outcomes } = requestAuth(request)
  for (let index = 0; index < transports.length; index++) {
    const transport = transports[index] as Transport
    if (only !== undefined && transport.name !== only) continue
    outcomes[index] ??= transport.authenticate(request, toolbox)
    const principal = await outcomes[index]
    if (principal) return principal
  }
  return null
}
