import { createKeyring } from '../crypto/keys.js'
import { resolveHooks } from '../events.js'
import { resolveCookies } from '../http/cookie-options.js'
import { resolveOrigins } from '../http/cross-site.js'
import { checkInteger, checkObject, describe, fail } from '../lib/option-checks.js'
import { STATE_METHODS } from '../ports/state-stores.js'
import type { Transport } from '../ports/transport.js'
import { resolveDelivery } from './delivery/options.js'
import { resolveIdentity } from './identity/options.js'
import type { CrudAuthOptions } from './option-types.js'
import { resolvePasswords } from './passwords/options.js'
import { type RateLimit, resolveLimits } from './rate-limits.js'
import { isSessionTransport, resolveSession, sessionTransport } from './sessions/options.js'
import { resolveLockout } from './sign-in/options.js'
import { resolveSudo } from './sign-in/sudo.js'
import { resolveRegistration, schemaOfField } from './sign-up/options.js'

const knownOptions = [
  'secret',
  'users',
  'redis',
  'state',
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
  'sudo',
  'freshSeconds',
  'cookies',
  'trustedOrigins',
  'lockout',
  'rateLimits',
  'timeouts',
  'hooks',
  // Fastify reads these two from every plugin's options.
  'logLevel',
  'logSerializers',
]

function resolveTransports(value: CrudAuthOptions['transports']): readonly Transport[] {
  const transports = value ?? [sessionTransport()]
  if (!Array.isArray(transports) || transports.length === 0) {
    fail(
      `"transports" must be an array of at least one transport, got ${describe(transports)}; try [sessionTransport()]`,
    )
  }
  const names = new Set<string>()
  for (const transport of transports as Transport[]) {
    if (
      typeof transport?.name !== 'string' ||
      transport.name === '' ||
      typeof transport.authenticate !== 'function'
    ) {
      fail(
        '"transports" takes objects with a "name" and an "authenticate" function; call sessionTransport() with parentheses',
      )
    }
    if (names.has(transport.name))
      fail(`"transports" has two of the name "${transport.name}"; give each its own`)
    names.add(transport.name)
  }
  return transports
}

function resolvePrefix(value: unknown): string {
  if (value === undefined || value === '' || value === '/') return ''
  if (typeof value !== 'string' || !/^(?:\/[\w.~:@%-]+)+\/?$/.test(value)) {
    fail(
      `"prefix" must be a path such as "/auth", got ${typeof value === 'string' ? `"${value}"` : describe(value)}`,
    )
  }
  return value.replace(/\/$/, '')
}

/** Whether a text is a URL or the path of a socket, as ioredis takes it. */
export const isRedisUrl = (text: string) =>
  /^(?:rediss?:\/\/.|unix:\/\/\/)/.test(text) ? URL.canParse(text) : text.startsWith('/')

/**
 * Whether the value is plain options or an ioredis client. Reading another package's client as
 * options would connect to localhost.
 */
function isRedisObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    typeof (value as { defineCommand?: unknown }).defineCommand === 'function'
  )
}

/** Refuses an empty environment variable, which ioredis would read as localhost. */
function resolveRedis(value: CrudAuthOptions['redis']): CrudAuthOptions['redis'] {
  if (value === undefined || (typeof value === 'object' && value !== null && isRedisObject(value)))
    return value
  if (typeof value === 'string' && isRedisUrl(value)) return value
  const got =
    typeof value === 'string'
      ? value === ''
        ? 'an empty string'
        : 'another text'
      : describe(value)
  return fail(
    `"redis" must be a URL such as "redis://127.0.0.1:6379", options or a client of ioredis, got ${got}; leave it out for the memory of this process`,
  )
}

/** Checks that each store has its methods: a missing one would show with the first user. */
function resolveState(
  value: CrudAuthOptions['state'],
  redis: CrudAuthOptions['redis'],
): CrudAuthOptions['state'] {
  if (value === undefined) return undefined
  if (redis !== undefined)
    fail('"state" and "redis" are two places for the same state; leave one of them out')
  if (typeof value !== 'object' || value === null)
    fail(
      `"state" must be kyselyState(db) or { sessions, oneTime, counters }, got ${describe(value)}`,
    )
  for (const [kind, methods] of Object.entries(STATE_METHODS)) {
    const store = (value as unknown as Record<string, Record<string, unknown> | undefined>)[kind]
    const missing = methods.find((method) => typeof store?.[method] !== 'function')
    if (missing !== undefined)
      fail(
        `"state.${kind}" lacks the method "${missing}"; pass kyselyState(db), or a store that passes its conformance kit`,
      )
  }
  return value
}

/** The core's options: checked, complete and frozen. Only functions are kept by reference. */
export type CoreSettings = ReturnType<typeof resolveCoreOptions>

/**
 * Resolves the options that belong to no single feature.
 * @param outerPrefix prefix of the instance that the plugin is registered on
 * @param features names of options and default rate limits that the features add
 * @throws CRUDAUTH_CONFIG saying what to change
 */
export function resolveCoreOptions(
  options: CrudAuthOptions,
  outerPrefix: string,
  features: {
    readonly options: readonly string[]
    readonly limits: Readonly<Record<string, RateLimit>>
  },
) {
  checkObject('options', options, [...knownOptions, ...features.options])
  const keys = createKeyring(options.secret)
  const transports = resolveTransports(options.transports)
  const sessionConfig = transports.find(isSessionTransport)
  resolveCookies('cookies', options.cookies)
  const session = sessionConfig ? resolveSession(sessionConfig.options, options.cookies) : null
  const prefix = resolvePrefix(options.prefix)
  const timeouts = options.timeouts ?? {}
  checkObject('timeouts', timeouts, ['redisMs', 'stateMs', 'usersMs', 'oauthMs'])
  const keyPrefix = options.keyPrefix ?? 'crudauth:'
  if (typeof keyPrefix !== 'string' || !/^[\w.:-]{0,64}$/.test(keyPrefix)) {
    fail('"keyPrefix" must be at most 64 letters, digits and ".:_-", such as "myapp:"')
  }
  const identity = resolveIdentity(options.identity, options.users)
  const delivery = resolveDelivery(options, identity.recovery)
  return Object.freeze({
    keys,
    transports,
    session,
    identity,
    registration: resolveRegistration(options.registration, identity.login),
    delivery,
    /** The app's schema for values of the recovery field. */
    factorSchema:
      identity.recovery === null
        ? undefined
        : schemaOfField(options.registration, identity.recovery),
    /** The app's schema for email addresses, at sign-up and at a change. */
    emailSchema: schemaOfField(options.registration, 'email'),
    redis: resolveRedis(options.redis),
    state: resolveState(options.state, options.redis),
    keyPrefix,
    prefix,
    /** Path of the routes, from the root. */
    mountPath: outerPrefix + prefix,
    /** Whether to mount the routes of the app's own transports. */
    routesOfTransports: (options.routes ?? true) === true,
    passwords: resolvePasswords(options.passwords),
    sudo: resolveSudo(options.sudo),
    freshSeconds: checkInteger('freshSeconds', options.freshSeconds, 600, 1),
    trustedOrigins: resolveOrigins(options.trustedOrigins),
    lockout: resolveLockout(options.lockout),
    rateLimits: resolveLimits(options.rateLimits, features.limits),
    timeouts: {
      redisMs: checkInteger('timeouts.redisMs', timeouts.redisMs, 1000, 1, 600_000),
      stateMs: checkInteger('timeouts.stateMs', timeouts.stateMs, 1000, 1, 600_000),
      usersMs: checkInteger('timeouts.usersMs', timeouts.usersMs, 5000, 1, 600_000),
      oauthMs: checkInteger('timeouts.oauthMs', timeouts.oauthMs, 10_000, 1, 600_000),
    },
    hooks: resolveHooks(options.hooks),
  })
}
