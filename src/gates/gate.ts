import type { FastifyReply, FastifyRequest } from 'fastify'
import { applyOnReply, principalOf } from '../core/principal/request-principal.js'
import type { AnyGate } from '../ports/fastify.js'
import { hasAsked, hasBearer, isPublicRoute } from './authenticate.js'

/** What the OpenAPI document needs to know about a gate. */
export interface GateInfo {
  readonly optional: boolean
  /** Names of the transports that the gate asks. Default all. */
  readonly transports?: readonly string[] | undefined
  readonly scopes: readonly string[]
  readonly forbids: boolean
  /** A rate limit: responds with 429 and doesn't authenticate. */
  readonly limits?: boolean
}

const kGate = Symbol('crudauth.gate')

/** The description of a hook, if it is a gate of this plugin. */
export const gateInfo = (hook: unknown): GateInfo | undefined =>
  typeof hook === 'function' ? (hook as { [kGate]?: GateInfo })[kGate] : undefined

/** Describes a hook for the OpenAPI document. */
export function describeGate<G>(gate: G, info: GateInfo): G {
  Object.defineProperty(gate, kGate, { value: Object.freeze(info) })
  return gate
}

type HttpError = { statusCode?: unknown; code?: unknown; headers?: Record<string, string> } | null

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

const tokenErrors: ReadonlySet<unknown> = new Set([
  'CRUDAUTH_UNAUTHENTICATED',
  'CRUDAUTH_INVALID_TOKEN',
])

/**
 * Whether the bearer transport rejected the token of the request. On a route for sessions only, a
 * valid token must not be called invalid.
 */
const wasRefused = (request: FastifyRequest): boolean =>
  /^bearer(?: |$)/i.test(request.headers.authorization ?? '') &&
  !principalOf(request) &&
  hasAsked(request, 'bearer')

/**
 * The challenge (RFC 6750, section 3): with `error` if a credential was rejected, without it if
 * there was none.
 */
function challengeOf(
  request: FastifyRequest,
  error: HttpError,
  scopes: readonly string[],
): string | null {
  if (error?.code === 'CRUDAUTH_INSUFFICIENT_SCOPE') {
    // Only valid scope tokens (RFC 6749, section 3.3): a gate accepts any names.
    const named = scopes.filter((scope) => scopeToken.test(scope)).join(' ')
    return named === ''
      ? 'Bearer error="insufficient_scope"'
      : `Bearer error="insufficient_scope", scope="${named}"`
  }
  if (error?.statusCode !== 401) return null
  return wasRefused(request) && tokenErrors.has(error.code)
    ? 'Bearer error="invalid_token"'
    : 'Bearer'
}

/**
 * Sets the headers of an error on the reply, and the challenge of a bearer transport. An app's own
 * error handler doesn't look at `error.headers`.
 * @param scopes scopes that the route needs
 */
export function carryHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  scopes: readonly string[] = [],
): void {
  const { headers } = (error as HttpError) ?? {}
  if (headers) reply.headers(headers)
  const challenge = hasBearer(request) ? challengeOf(request, error as HttpError, scopes) : null
  if (challenge !== null && !reply.hasHeader('www-authenticate'))
    reply.header('www-authenticate', challenge)
}

/** Turns a check into a gate. A gate of the whole app lets the plugin's public routes pass. */
export function createGate(
  name: string,
  info: GateInfo,
  check: (request: FastifyRequest) => Promise<void>,
): AnyGate {
  const gate = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (isPublicRoute(request)) return
    try {
      await check(request)
      applyOnReply(request, reply)
    } catch (error) {
      carryHeaders(request, reply, error, info.scopes)
      throw error
    }
  }
  Object.defineProperty(gate, 'name', { value: name })
  return describeGate(gate as AnyGate, info)
}
