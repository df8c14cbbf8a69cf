import type { FastifyReply, FastifyRequest } from 'fastify'
import { applyOnReply, principalOf } from '../core/principal/request-principal.js'
import type { AnyGate } from '../ports/fastify.js'
import { hasAsked, hasBearer, isPublicRoute } from './authenticate.js'

/** What OpenAPI needs to know of a gate. */
export interface GateInfo {
  readonly optional: boolean
  /** Those that are asked; all without it. */
  readonly transports?: readonly string[] | undefined
  readonly scopes: readonly string[]
  readonly forbids: boolean
  /** Answers 429 and asks for nobody. */
  readonly limits?: boolean
}

const kGate = Symbol('crudauth.gate')

/** What a hook function guards, if it is a gate of this plugin. */
export const gateInfo = (hook: unknown): GateInfo | undefined =>
  typeof hook === 'function' ? (hook as { [kGate]?: GateInfo })[kGate] : undefined

/** Lets OpenAPI know of a hook. */
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

/** A token that was looked at and made nobody: a good one where only a session will do is not told to be bad. */
const wasRefused = (request: FastifyRequest): boolean =>
  /^bearer(?: |$)/i.test(request.headers.authorization ?? '') &&
  !principalOf(request) &&
  hasAsked(request, 'bearer')

/** RFC 6750, 3: without `error` where no credential was given, with it where one was of no use. */
function challengeOf(
  request: FastifyRequest,
  error: HttpError,
  scopes: readonly string[],
): string | null {
  if (error?.code === 'CRUDAUTH_INSUFFICIENT_SCOPE') {
    // Only what RFC 6749, 3.3 lets a scope be made of: a gate's own names may be anything.
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
 * Puts on the reply what an error has to say in headers: an app's own error handler does not look at `error.headers`.
 * @param scopes that would have been needed
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

/** Makes a gate of a check; the plugin's own public routes stay open below a gate of the whole app. */
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
