import { availableParallelism } from 'node:os'
import type { LegacyVerifier } from '../accounts/passwords.js'
import { checkFunction, checkInteger, checkObject, checkStrings, describe, fail } from '../checks.js'
import { createKeyring } from '../crypto/keys.js'
import { type CrudAuthHooks, hookNames } from '../events.js'
import { checkRateLimit, type RateLimitOption } from '../gates/rate-limit.js'
import { parseOrigin } from '../http/cross-site.js'
import type { Transport } from '../ports/transport.js'
import { isBearerTransport } from '../transports/bearer/transport.js'
import { isSessionTransport, sessionTransport } from '../transports/session/transport.js'
import { resolveBearer } from './bearer.js'
import { resolveCookies } from './cookies.js'
import { resolveDelivery } from './delivery.js'
import { resolveIdentity, resolveRegistration, schemaOfField } from './identity.js'
import { resolveOAuth } from './oauth.js'
import { resolveRoutes } from './routes.js'
import { resolveSession } from './session.js'
import type { CrudAuthOptions } from './types.js'

const knownOptions = [
  'secret',
  'users',
  'redis',
  'keyPrefix',
  'prefix',
  'routes',
  'transports',
  'identity',
  'registration',
  'passwords',
  'email',
  'channels',
  'delivery',
  'oauth',
  'sudo',
  'freshSeconds',
  'cookies',
  'trustedOrigins',
  'lockout',
  'rateLimits',
  'timeouts',
  'hooks',
  // Fastify reads these two of every plugin's options.
  'logLevel',
  'logSerializers',
]

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

function resolvePasswords(options: CrudAuthOptions['passwords'] = {}) {
  checkObject('passwords', options, ['cost', 'minLength', 'maxConcurrent', 'maxQueued', 'check', 'legacy'])
  const cost = options.cost ?? {}
  checkObject('passwords.cost', cost, ['memoryKiB', 'iterations', 'parallelism'])
  const legacy: readonly LegacyVerifier[] = options.legacy ?? []
  const isVerifier = (item: LegacyVerifier) => typeof item?.matches === 'function' && typeof item?.verify === 'function'
  if (!Array.isArray(legacy) || !legacy.every(isVerifier)) {
    fail('"passwords.legacy" must be an array of { matches(hash), verify(hash, password) }')
  }
  const parallelism = checkInteger('passwords.cost.parallelism', cost.parallelism, 1, 1, 255)
  // The thread pool also serves files and DNS: hashing leaves one of its threads free.
  const threads = Math.max(1, (Number(process.env.UV_THREADPOOL_SIZE) || 4) - 1)
  return {
    cost: {
      memoryKiB: checkInteger('passwords.cost.memoryKiB', cost.memoryKiB, 19_456, 8 * parallelism, 4_194_304),
      iterations: checkInteger('passwords.cost.iterations', cost.iterations, 2, 1, 1000),
      parallelism,
    },
    minLength: checkInteger('passwords.minLength', options.minLength, 8, 1, 64),
    maxConcurrent: checkInteger('passwords.maxConcurrent', options.maxConcurrent, Math.min(availableParallelism(), threads), 1),
    maxQueued: checkInteger('passwords.maxQueued', options.maxQueued, 256, 0),
    check: checkFunction('passwords.check', options.check),
    legacy,
  }
}

function resolveLockout(options: CrudAuthOptions['lockout'] = {}) {
  if (options === false) return false
  checkObject('lockout', options, ['maxAttempts', 'maxAttemptsPerIp', 'windowSeconds', 'lockSeconds', 'maxLockSeconds'])
  const lockSeconds = checkInteger('lockout.lockSeconds', options.lockSeconds, 60, 1)
  return {
    maxAttempts: checkInteger('lockout.maxAttempts', options.maxAttempts, 5, 1),
    maxAttemptsPerIp: checkInteger('lockout.maxAttemptsPerIp', options.maxAttemptsPerIp, 30, 1),
    windowSeconds: checkInteger('lockout.windowSeconds', options.windowSeconds, 60, 1, 86_400),
    lockSeconds,
    maxLockSeconds: checkInteger('lockout.maxLockSeconds', options.maxLockSeconds, Math.max(3600, lockSeconds), lockSeconds),
  }
}

function resolveSudo(options: CrudAuthOptions['sudo'] = {}) {
  if (options === false) return false
  checkObject('sudo', options, ['windowSeconds', 'maxAttempts', 'lockoutSeconds'])
  return {
    windowSeconds: checkInteger('sudo.windowSeconds', options.windowSeconds, 300, 1, 86_400),
    maxAttempts: checkInteger('sudo.maxAttempts', options.maxAttempts, 3, 1, 1000),
    lockoutSeconds: checkInteger('sudo.lockoutSeconds', options.lockoutSeconds, 900, 1),
  }
}

function resolveLimits(options: CrudAuthOptions['rateLimits'] = {}) {
  checkObject('rateLimits', options, Object.keys(options))
  const limits: Record<string, RateLimitOption> = { ...defaultLimits }
  for (const [action, limit] of Object.entries(options)) {
    if (limit !== undefined) limits[action] = checkRateLimit(`rateLimits.${action}`, limit)
  }
  if (typeof limits.recipient === 'function')
    fail('"rateLimits.recipient" must be { max, windowSeconds } or false: there is no request to ask about')
  return Object.freeze(limits) as typeof limits & Record<keyof typeof defaultLimits, RateLimitOption>
}

function resolveOrigins(value: unknown): ReadonlySet<string> {
  const origins = checkStrings('trustedOrigins', value, [])
  return new Set(
    origins.map((text) => {
      const url = parseOrigin(text)
      if (!url || text.includes('*') || url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
        fail(`"trustedOrigins" takes origins such as "https://app.example.com", without path or wildcard; got "${text}"`)
      }
      return url.origin
    }),
  )
}

function resolveTransports(value: CrudAuthOptions['transports']): readonly Transport[] {
  const transports = value ?? [sessionTransport()]
  if (!Array.isArray(transports) || transports.length === 0) {
    fail(`"transports" must be an array of at least one transport, got ${describe(transports)}; try [sessionTransport()]`)
  }
  const names = new Set<string>()
  for (const transport of transports as Transport[]) {
    if (typeof transport?.name !== 'string' || transport.name === '' || typeof transport.authenticate !== 'function') {
      fail('"transports" takes objects with a "name" and an "authenticate" function; call sessionTransport() with parentheses')
    }
    if (names.has(transport.name)) fail(`"transports" has two of the name "${transport.name}"; give each its own`)
    names.add(transport.name)
  }
  return transports
}

function resolveHooks(value: CrudAuthOptions['hooks'] = {}): CrudAuthHooks {
  checkObject('hooks', value, hookNames)
  for (const name of hookNames) checkFunction(`hooks.${name}`, value[name] as (() => unknown) | undefined)
  return Object.freeze({ ...value })
}

function resolvePrefix(value: unknown): string {
  if (value === undefined || value === '' || value === '/') return ''
  if (typeof value !== 'string' || !/^(?:\/[\w.~:@%-]+)+\/?$/.test(value)) {
    fail(`"prefix" must be a path such as "/auth", got ${typeof value === 'string' ? `"${value}"` : describe(value)}`)
  }
  return value.replace(/\/$/, '')
}

const isRedisUrl = (text: string) => (/^(?:rediss?:\/\/.|unix:\/\/\/)/.test(text) ? URL.canParse(text) : text.startsWith('/'))

/** A client of another package, read as options, would mean a Redis on this very machine. */
function isRedisObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    typeof (value as { defineCommand?: unknown }).defineCommand === 'function'
  )
}

/** An empty variable of the environment must not mean a Redis on this very machine, as it does to ioredis. */
function resolveRedis(value: CrudAuthOptions['redis']): CrudAuthOptions['redis'] {
  if (value === undefined || (typeof value === 'object' && value !== null && isRedisObject(value))) return value
  if (typeof value === 'string' && isRedisUrl(value)) return value
  const got = typeof value === 'string' ? (value === '' ? 'an empty string' : 'another text') : describe(value)
  return fail(
    `"redis" must be a URL such as "redis://127.0.0.1:6379", options or a client of ioredis, got ${got}; leave it out for the memory of this process`,
  )
}

/** Options as the plugin works with them: checked, complete, frozen; nothing of the app's is kept by reference but functions. */
export type ResolvedOptions = ReturnType<typeof resolveOptions>

/**
 * @param outerPrefix of the instance that the plugin is registered on
 * @throws CRUDAUTH_CONFIG saying what to change
 */
export function resolveOptions(options: CrudAuthOptions, outerPrefix = '') {
  checkObject('options', options, knownOptions)
  const keys = createKeyring(options.secret)
  const transports = resolveTransports(options.transports)
  const sessionConfig = transports.find(isSessionTransport)
  resolveCookies('cookies', options.cookies)
  const session = sessionConfig ? resolveSession(sessionConfig.options, options.cookies) : null
  const bearerConfig = transports.find(isBearerTransport)
  const prefix = resolvePrefix(options.prefix)
  const bearer = bearerConfig ? resolveBearer(bearerConfig.options, options.cookies, outerPrefix + prefix) : null
  const timeouts = options.timeouts ?? {}
  checkObject('timeouts', timeouts, ['redisMs', 'usersMs', 'oauthMs'])
  const keyPrefix = options.keyPrefix ?? 'crudauth:'
  if (typeof keyPrefix !== 'string' || !/^[\w.:-]{0,64}$/.test(keyPrefix)) {
    fail('"keyPrefix" must be at most 64 letters, digits and ".:_-", such as "myapp:"')
  }
  const identity = resolveIdentity(options.identity, options.users)
  const delivery = resolveDelivery(options, identity.recovery)
  const oauth = resolveOAuth(options.oauth, options.users.fields, session !== null)
  return Object.freeze({
    keys,
    transports,
    session,
    bearer,
    identity,
    registration: resolveRegistration(options.registration, identity.login),
    delivery,
    oauth,
    /** What the app says of the recovery factor's values. */
    factorSchema: identity.recovery === null ? undefined : schemaOfField(options.registration, identity.recovery),
    redis: resolveRedis(options.redis),
    keyPrefix,
    prefix,
    routes: resolveRoutes(options.routes, {
      session,
      bearer,
      email: delivery !== null && identity.recovery !== null,
      oauth: oauth !== null,
    }),
    /** Routes that transports of the app's own bring. */
    routesOfTransports: (options.routes ?? true) === true,
    passwords: resolvePasswords(options.passwords),
    sudo: resolveSudo(options.sudo),
    freshSeconds: checkInteger('freshSeconds', options.freshSeconds, 600, 1),
    trustedOrigins: resolveOrigins(options.trustedOrigins),
    lockout: resolveLockout(options.lockout),
    rateLimits: resolveLimits(options.rateLimits),
    timeouts: {
      redisMs: checkInteger('timeouts.redisMs', timeouts.redisMs, 1000, 1, 600_000),
      usersMs: checkInteger('timeouts.usersMs', timeouts.usersMs, 5000, 1, 600_000),
      oauthMs: checkInteger('timeouts.oauthMs', timeouts.oauthMs, 10_000, 1, 600_000),
    },
    hooks: resolveHooks(options.hooks),
  })
}
