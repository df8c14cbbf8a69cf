import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { createKeyring } from '../crypto/keys.js'
import { type CrudAuthHooks, resolveHooks } from '../events.js'
import { resolveCookies } from '../http/cookie-options.js'
import type { CookieOptions } from '../http/cookies.js'
import { resolveOrigins } from '../http/cross-site.js'
import { checkInteger, checkObject, describe, fail } from '../lib/option-checks.js'
import type { DeliveryChannel } from '../ports/delivery-channel.js'
import type { RegisteredUser } from '../ports/fastify.js'
import type { Transport } from '../ports/transport.js'
import type { UserStore } from '../ports/user-store.js'
import { type DeliveryOptions, type EmailOptions, resolveDelivery } from './delivery/options.js'
import { type IdentityOptions, resolveIdentity } from './identity/options.js'
import { type PasswordOptions, resolvePasswords } from './passwords/options.js'
import {
  type LimitedAction,
  type RateLimit,
  type RateLimitOption,
  resolveLimits,
} from './rate-limits.js'
import { isSessionTransport, resolveSession, sessionTransport } from './sessions/options.js'
import type { LockoutPolicy } from './sign-in/lockout.js'
import { resolveLockout } from './sign-in/options.js'
import { resolveSudo, type SudoPolicy } from './sign-in/sudo.js'
import { type RegistrationOptions, resolveRegistration, schemaOfField } from './sign-up/options.js'

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

const isRedisUrl = (text: string) =>
  /^(?:rediss?:\/\/.|unix:\/\/\/)/.test(text) ? URL.canParse(text) : text.startsWith('/')

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

/** The core's options: checked, complete, frozen. Nothing of the app's is kept by reference but functions. */
export type CoreSettings = ReturnType<typeof resolveCoreOptions>

/**
 * Options that belong to no single feature.
 * @param outerPrefix of the instance that the plugin is registered on
 * @param features what the features add: names of their options, limits of their actions
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
  checkObject('timeouts', timeouts, ['redisMs', 'usersMs', 'oauthMs'])
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
    /** What the app says of the recovery factor's values. */
    factorSchema:
      identity.recovery === null
        ? undefined
        : schemaOfField(options.registration, identity.recovery),
    /** What the app says of addresses, at sign-up and at a change. */
    emailSchema: schemaOfField(options.registration, 'email'),
    redis: resolveRedis(options.redis),
    keyPrefix,
    prefix,
    /** Where the routes are mounted, seen from the root. */
    mountPath: outerPrefix + prefix,
    /** Routes that transports of the app's own bring. */
    routesOfTransports: (options.routes ?? true) === true,
    passwords: resolvePasswords(options.passwords),
    sudo: resolveSudo(options.sudo),
    freshSeconds: checkInteger('freshSeconds', options.freshSeconds, 600, 1),
    trustedOrigins: resolveOrigins(options.trustedOrigins),
    lockout: resolveLockout(options.lockout),
    rateLimits: resolveLimits(options.rateLimits, features.limits),
    timeouts: {
      redisMs: checkInteger('timeouts.redisMs', timeouts.redisMs, 1000, 1, 600_000),
      usersMs: checkInteger('timeouts.usersMs', timeouts.usersMs, 5000, 1, 600_000),
      oauthMs: checkInteger('timeouts.oauthMs', timeouts.oauthMs, 10_000, 1, 600_000),
    },
    hooks: resolveHooks(options.hooks),
  })
}

/** Groups of routes; each feature adds its own. */
// biome-ignore lint/suspicious/noEmptyInterface: open for the features
export interface RouteGroups {}

/** Name of a group of routes that can be mounted. */
export type RouteGroup = keyof RouteGroups

/** Milliseconds that something outside this process may take before the request gets its 503. */
export interface TimeoutOptions {
  /** Default 1000. */
  readonly redisMs?: number | undefined
  /** Default 5000. */
  readonly usersMs?: number | undefined
  /** All that is asked of a provider for one sign-in; then it ends as `oauth_failed`. Default 10000. */
  readonly oauthMs?: number | undefined
}

/** Options of the plugin; features add theirs. A mistake in them throws `CRUDAUTH_CONFIG` at registration, before any socket is opened. */
export interface CrudAuthOptions {
  /** At least 32 random bytes, or several while rotating: the first makes, all check. */
  readonly secret: string | Buffer | readonly (string | Buffer)[] | undefined
  /** The app's users. */
  // biome-ignore lint/suspicious/noExplicitAny: a store of any row type; `Register` types the rows
  readonly users: UserStore<RegisteredUser> | UserStore<any>
  /** URL, options, or the app's own ioredis client, which stays the app's to close. Absent: this process's memory. */
  readonly redis?: string | RedisOptions | Redis | Cluster | undefined
  /** Namespace in Redis. Default `crudauth:`. */
  readonly keyPrefix?: string | undefined
  /** Mount point of the routes, such as `/auth`. Default none. */
  readonly prefix?: string
  /** False, or the groups to mount. Default true: all that the transports bring. */
  readonly routes?: boolean | readonly RouteGroup[] | undefined
  /** In order of precedence. Default `[sessionTransport()]`. */
  readonly transports?: readonly Transport[] | undefined
  readonly identity?: IdentityOptions | undefined
  readonly registration?: RegistrationOptions | undefined
  readonly passwords?: PasswordOptions | undefined
  /** Emails of verification and recovery. Default off. */
  readonly email?: EmailOptions | undefined
  /** Further ways to reach users: SMS, the app's own. Default none. */
  readonly channels?: readonly DeliveryChannel[] | undefined
  /** How what is sent gets to its channels; needs `email` or `channels`. */
  readonly delivery?: DeliveryOptions | undefined
  /** Sudo mode; false: nothing is ever elevated. */
  readonly sudo?: Partial<SudoPolicy> | false | undefined
  /** Seconds after signing in within which a lasting credential may be added. Default 600. */
  readonly freshSeconds?: number | undefined
  /** One policy for all cookies. */
  readonly cookies?: CookieOptions | undefined
  /** Further origins (such as `https://app.example.com`) that may post the login forms. */
  readonly trustedOrigins?: readonly string[] | undefined
  /** Budgets of sign-in attempts; false switches them off, with a warning. */
  readonly lockout?: Partial<LockoutPolicy> | false | undefined
  /**
   * Limits by action; false switches one off. `recipient` is counted by target address and kind of message, and silent:
   * beyond it nothing is sent, and nothing tells.
   */
  readonly rateLimits?:
    | Readonly<
        Partial<Record<LimitedAction, RateLimitOption>> &
          Record<string, RateLimitOption | undefined>
      >
    | undefined
  readonly timeouts?: TimeoutOptions | undefined
  readonly hooks?: CrudAuthHooks | undefined
}
