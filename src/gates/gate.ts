import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AnyGate } from '../fastify.js'
import { isPublicRoute } from './authenticate.js'

/** What OpenAPI needs to know of a gate. */
export interface GateInfo {
  readonly optional: boolean
  readonly transport?: string | undefined
  readonly scopes: readonly string[]
  readonly forbids: boolean
}

const kGate = Symbol('crudauth.gate')

/** What a hook function guards, if it is a gate of this plugin. */
export const gateInfo = (hook: unknown): GateInfo | undefined =>
  typeof hook === 'function' ? (hook as { [kGate]?: GateInfo })[kGate] : undefined

/** Puts an error's headers on the reply as well: an app's own error handler does not look at `error.headers`. */
export function carryHeaders(reply: FastifyReply, error: unknown): void {
  const headers = (error as { headers?: Record<string, string> } | null)?.headers
  if (headers) reply.headers(headers)
}

const open = Promise.resolve()

/** Makes a gate of a check; the plugin's own public routes stay open below a gate of the whole app. */
export function createGate(name: string, info: GateInfo, check: (request: FastifyRequest) => Promise<void>): AnyGate {
  // Not async, and one promise: every guarded request comes through here.
  const gate: AnyGate = (request, reply) =>
    isPublicRoute(request)
      ? open
      : check(request).catch((error) => {
          carryHeaders(reply, error)
          throw error
        })
  Object.defineProperty(gate, 'name', { value: name })
  Object.defineProperty(gate, kGate, { value: Object.freeze(info) })
  return gate
}
