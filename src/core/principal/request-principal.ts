import type { FastifyRequest } from 'fastify'
import type { Principal } from '../../ports/transport.js'

export const kRequestAuth = Symbol('crudauth.request')

/** What is known of a request so far. */
export interface RequestAuth {
  principal: Principal | null
  /** By the transport's place; each is asked at most once a request, however many gates ask. */
  readonly outcomes: (Promise<Principal | null> | undefined)[]
}

export type Carrier = FastifyRequest & { [kRequestAuth]?: RequestAuth | null }

export const principalOf = (request: FastifyRequest): Principal | null =>
  (request as Carrier)[kRequestAuth]?.principal ?? null
