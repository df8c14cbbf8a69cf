import type { FastifyReply, FastifyRequest } from 'fastify'
import { principalOf } from '../core/principal/request-principal.js'
import { checkRateLimit, type RateLimit, type RateLimitOption } from '../core/rate-limits.js'
import type { AuthToolbox } from '../core/toolbox.js'
import { encodeUserId } from '../core/users/user-id.js'
import { shortHmac } from '../crypto/digest.js'
import { InternalError, RateLimitedError } from '../errors.js'
import { addressKey } from '../http/network-address.js'
import { checkObject, describe, fail } from '../lib/option-checks.js'
import { retryAfter, unavailableError } from '../lib/unavailable.js'
import type { CounterStore, WindowCount } from '../ports/counter-store.js'
import type { AnyGate } from '../ports/fastify.js'
import { carryHeaders, describeGate } from './gate.js'

/**
 * What a limit is counted by: the IP address (the default), the user, the session or a key of your
 * own. `session` falls back to the user for other credentials. `user` and `session` fall back to
 * the address for anonymous requests. With `user`, a stolen session can use up the owner's limit.
 */
export type RateLimitKey =
  | 'ip'
  | 'user'
  | 'session'
  | ((request: FastifyRequest) => string | Promise<string>)

function checkKey(key: unknown): RateLimitKey {
  if (key === 'ip' || key === 'user' || key === 'session' || typeof key === 'function')
    return key as RateLimitKey
  return fail(
    `"key" of a rate limit must be "ip", "user", "session" or a function, got ${describe(key)}`,
  )
}

async function resolveLimit(
  action: string,
  limit: (request: FastifyRequest) => unknown,
  request: FastifyRequest,
) {
  const result = await limit(request)
  try {
    if (typeof result === 'function') fail('a function must not return another function')
    return checkRateLimit(`rateLimits.${action}`, result)
  } catch (cause) {
    throw new InternalError('A rate limit function returned an invalid limit', { cause })
  }
}

/** Creates a hook that limits an action. */
export type CreateRateLimit = (
  action: string,
  limit: RateLimitOption,
  options?: {
    readonly key?: RateLimitKey
    readonly failClosed?: boolean
    /** With `session`: how many times the limit all sessions of a user may use together. */
    readonly userCeiling?: number
    /** Requests that are counted but never refused. */
    readonly exempts?: (request: FastifyRequest) => boolean
  },
) => AnyGate

/**
 * Limits are keyed by action, never by URL, which can be spelled in several ways. In an outage a
 * limit fails open, unless it protects a password against brute force (`failClosed`).
 */
export function createRateLimits(counters: CounterStore, digestKey: Buffer): CreateRateLimit {
  const subject = async (request: FastifyRequest, key: RateLimitKey): Promise<string> => {
    if (typeof key === 'function') return `k:${await key(request)}`
    const principal = key === 'ip' ? null : principalOf(request)
    if (!principal) return `a:${addressKey(request.ip)}`
    return key === 'session' && principal.sessionId !== undefined
      ? `s:${principal.sessionId}`
      : `u:${encodeUserId(principal.userId)}`
  }

  return (action, limit, options = {}) => {
    const key = checkKey(options.key ?? 'ip')
    const { failClosed, userCeiling, exempts } = options
    const hit = async (request: FastifyRequest, { windowSeconds }: RateLimit, by: string) => {
      const text = shortHmac(digestKey, `${action} ${by}`)
      try {
        return await counters.hit(`rate:${text}`, windowSeconds * 1000)
      } catch (cause) {
        if (failClosed) throw unavailableError(cause)
        request.log.warn({ action }, 'could not count a rate limit; the request passes')
        return null
      }
    }
    const secondsOf = ({ resetMs }: WindowCount) => Math.max(1, Math.ceil(resetMs / 1000))

    const gate = async function rateLimit(request: FastifyRequest, reply: FastifyReply) {
      const resolved =
        typeof limit === 'function' ? await resolveLimit(action, limit, request) : limit
      if (resolved === false || typeof resolved === 'function') return
      try {
        const by = await subject(request, key)
        const window = await hit(request, resolved, by)
        if (!window) return
        reply.headers({
          'x-ratelimit-limit': String(resolved.max),
          'x-ratelimit-remaining': String(Math.max(0, resolved.max - window.count)),
          'x-ratelimit-reset': String(secondsOf(window)),
        })
        if (exempts?.(request)) return
        if (window.count > resolved.max) throw retryAfter(new RateLimitedError(), secondsOf(window))
        if (userCeiling === undefined || !by.startsWith('s:')) return
        const all = await hit(request, resolved, `all ${await subject(request, 'user')}`)
        if (all && all.count > userCeiling * resolved.max)
          throw retryAfter(new RateLimitedError(), secondsOf(all))
      } catch (error) {
        carryHeaders(request, reply, error)
        throw error
      }
    }
    return describeGate(gate, { optional: true, scopes: [], forbids: false, limits: true })
  }
}

declare module '../core/toolbox.js' {
  interface AuthToolbox {
    /**
     * Creates a hook that limits an action.
     * @param limit default: the limit of that name in the `rateLimits` option
     * @throws CRUDAUTH_CONFIG if there is none
     * @example
     * const limit = app.crudAuth.rateLimit('invite', { max: 20, windowSeconds: 3600 })
     * app.post('/invite', { onRequest: limit }, handler)
     */
    rateLimit(
      action: string,
      limit?: RateLimitOption,
      options?: { readonly key?: RateLimitKey },
    ): AnyGate
  }
}

/**
 * Implements `app.crudAuth.rateLimit`.
 * @param limits by action
 */
export const rateLimitOfApp =
  (
    create: CreateRateLimit,
    limits: Readonly<Record<string, RateLimitOption>>,
  ): AuthToolbox['rateLimit'] =>
  (action, limit, keyOptions = {}) => {
    checkObject('rateLimit', keyOptions, ['key'])
    const given = limit === undefined ? limits[action] : limit
    return create(action, checkRateLimit(`rateLimits.${action}`, given), keyOptions)
  }
