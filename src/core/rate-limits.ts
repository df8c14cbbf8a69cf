import type { FastifyRequest } from 'fastify'
import { checkInteger, checkObject, fail } from '../lib/option-checks.js'

/** At most `max` requests in a window of `windowSeconds`. */
export interface RateLimit {
  readonly max: number
  /** Seconds. */
  readonly windowSeconds: number
}

/** A limit, `false` for none, or a function that decides for each request. */
export type RateLimitOption =
  | RateLimit
  | false
  | ((request: FastifyRequest) => RateLimit | false | Promise<RateLimit | false>)

/** Checks the form of a limit. What a function returns is checked on each call. */
export function checkRateLimit(name: string, limit: unknown): RateLimitOption {
  if (limit === false || typeof limit === 'function') return limit as RateLimitOption
  if (limit === undefined) fail(`"${name}" has no limit; give it as { max, windowSeconds }`)
  const { max, windowSeconds } = checkObject(name, limit, ['max', 'windowSeconds'])
  return Object.freeze({
    max: checkInteger(`${name}.max`, max ?? null, 0, 1),
    windowSeconds: checkInteger(`${name}.windowSeconds`, windowSeconds ?? null, 0, 1, 31_536_000),
  })
}

/** Actions that have a rate limit; each feature adds its own. */
export interface LimitedActions {
  /**
   * Messages to one recipient, by kind of message. Beyond the limit nothing is sent, and the
   * response does not show it. May not be a function.
   * @defaultValue 5 per 3600 s
   */
  recipient: true
}

/** Name of an action with a limit of its own. */
export type LimitedAction = keyof LimitedActions

export type RateLimits = Readonly<Record<LimitedAction, RateLimitOption>>

/**
 * @param defaults limits of the plugin's own actions
 * @throws CRUDAUTH_CONFIG
 */
export function resolveLimits(
  options: Readonly<Record<string, RateLimitOption | undefined>> = {},
  defaults: Readonly<Record<string, RateLimit>>,
): RateLimits {
  checkObject('rateLimits', options, Object.keys(options))
  const limits: Record<string, RateLimitOption> = {
    recipient: { max: 5, windowSeconds: 3600 },
    ...defaults,
  }
  for (const [action, limit] of Object.entries(options)) {
    if (limit !== undefined) limits[action] = checkRateLimit(`rateLimits.${action}`, limit)
  }
  if (typeof limits.recipient === 'function')
    fail(
      '"rateLimits.recipient" must be { max, windowSeconds } or false: there is no request to call a function with',
    )
  return Object.freeze(limits) as RateLimits
}
