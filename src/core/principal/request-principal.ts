import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../../ports/transport.js'

export const kRequestAuth = Symbol('crudauth.request')

/** Authentication state of a request. */
export interface RequestAuth {
  principal: Principal | null
  /**
   * Outcome of each transport, by index. A transport is asked at most once per request, however
   * many gates there are.
   */
  readonly outcomes: (Promise<Principal | null> | undefined)[]
  /** What authentication changes in the response. The gate that asked applies it. */
  onReply?: ((reply: FastifyReply) => void) | undefined
}

export type RequestWithAuth = FastifyRequest & { [kRequestAuth]?: RequestAuth | null }

export const principalOf = (request: FastifyRequest): Principal | null =>
  (request as RequestWithAuth)[kRequestAuth]?.principal ?? null

/**
 * Lets a transport, which has no reply, set a cookie in the response once a gate passes the
 * request.
 */
export function setOnReply(request: FastifyRequest, set: (reply: FastifyReply) => void): void {
  const auth = (request as RequestWithAuth)[kRequestAuth]
  if (auth) auth.onReply = set
}

/** Runs the function given to `setOnReply`, once. */
export function applyOnReply(request: FastifyRequest, reply: FastifyReply): void {
  const auth = (request as RequestWithAuth)[kRequestAuth]
  if (!auth?.onReply) return
  auth.onReply(reply)
  auth.onReply = undefined
}
