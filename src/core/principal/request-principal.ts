import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../../ports/transport.js'

export const kRequestAuth = Symbol('crudauth.request')

/** What is known of a request so far. */
export interface RequestAuth {
  principal: Principal | null
  /** By the transport's place; each is asked at most once a request, however many gates ask. */
  readonly outcomes: (Promise<Principal | null> | undefined)[]
  /** What authenticating has to say on the answer, said by the gate that asked. */
  onReply?: ((reply: FastifyReply) => void) | undefined
}

export type Carrier = FastifyRequest & { [kRequestAuth]?: RequestAuth | null }

export const principalOf = (request: FastifyRequest): Principal | null =>
  (request as Carrier)[kRequestAuth]?.principal ?? null

/** Lets a transport, which knows no reply, set a cookie on the answer of a request that a gate lets pass. */
export function setOnReply(request: FastifyRequest, set: (reply: FastifyReply) => void): void {
  const auth = (request as Carrier)[kRequestAuth]
  if (auth) auth.onReply = set
}

/** Does what `setOnReply` was given, once. */
export function applyOnReply(request: FastifyRequest, reply: FastifyReply): void {
  const auth = (request as Carrier)[kRequestAuth]
  if (!auth?.onReply) return
  auth.onReply(reply)
  auth.onReply = undefined
}
