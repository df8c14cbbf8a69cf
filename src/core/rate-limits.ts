import type { FastifyRequest } from 'fastify'
import { checkInteger, checkObject, fail } from '../lib/option-checks.js'
import type { CrudAuthOptions } from './options.js'

/** At most `max` requests in a window of `windowSeconds`. */
export interface RateLimit {
  readonly max: number
  /** Seconds. */
  readonly windowSeconds: number
}

/** A limit, no limit, or what decides for each request. */
export type RateLimitOption = RateLimit | false | ((request: FastifyRequest) => RateLimit | false | Promise<RateLimit | false>)

/** Checks one limit's form; a function's result is checked when it answers. */
export function checkRateLimit(name: string, limit: unknown): RateLimitOption {
  if (limit === false || typeof limit === 'function') return limit as RateLimitOption
  if (limit === undefined) fail(`"${name}" has no limit; give it as { max, windowSeconds }`)
  const { max, windowSeconds } = checkObject(name, limit, ['max', 'windowSeconds'])
  return Object.freeze({
    max: checkInteger(`${name}.max`, max ?? null, 0, 1),
    windowSeconds: checkInteger(`${name}.windowSeconds`, windowSeconds ?? null, 0, 1, 31_536_000),
  })
}

/** Requests an hour; see the docs of each route for what they are counted by. */
const defaultLimits = {
  register: { max: 5, windowSeconds: 3600 },
  change_password: { max: 5, windowSeconds: 3600 },
  logout_all: { max: 10, windowSeconds: 3600 },
  csrf_refresh: { max: 30, windowSeconds: 3600 },
  email_verify_request: { max: 5, windowSeconds: 3600 },
  password_reset_request: { max: 5, windowSeconds: 3600 },
  email_change_request: { max: 3, windowSeconds: 3600 },
  recipient: { max: 5, windowSeconds: 3600 },
  oauth_authorize: { max: 600, windowSeconds: 3600 },
} as const

export function resolveLimits(options: CrudAuthOptions['rateLimits'] = {}) {
  checkObject('rateLimits', options, Object.keys(options))
  const limits: Record<string, RateLimitOption> = { ...defaultLimits }
  for (const [action, limit] of Object.entries(options)) {
    if (limit !== undefined) limits[action] = checkRateLimit(`rateLimits.${action}`, limit)
  }
  if (typeof limits.recipient === 'function')
    fail('"rateLimits.recipient" must be { max, windowSeconds } or false: there is no request to ask about')
  return Object.freeze(limits) as typeof limits & Record<keyof typeof defaultLimits, RateLimitOption>
}

/** Actions with a limit of their own on the plugin's routes. */
export type LimitedAction =
  | 'register'
  | 'change_password'
  | 'logout_all'
  | 'csrf_refresh'
  | 'email_verify_request'
  | 'password_reset_request'
  | 'email_change_request'
  | 'oauth_authorize'
