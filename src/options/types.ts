import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { PasswordCost } from '../accounts/argon2.js'
import type { LockoutPolicy } from '../accounts/lockout.js'
import type { RegistrationContext } from '../accounts/new-account.js'
import type { PasswordCheck } from '../accounts/password-policy.js'
import type { LegacyVerifier } from '../accounts/passwords.js'
import type { SudoPolicy } from '../accounts/sudo.js'
import type { CrudAuthHooks } from '../events.js'
import type { RegisteredUser } from '../fastify.js'
import type { RateLimitOption } from '../gates/rate-limit.js'
import type { DeliveryChannel } from '../ports/delivery-channel.js'
import type { Transport } from '../ports/transport.js'
import type { UserStore, UserValues } from '../ports/user-store.js'
import type { LimitedAction } from '../routes/services.js'
import type { CookieOptions } from '../transports/cookie.js'
import type { DeliveryOptions, EmailOptions } from './delivery.js'
import type { OAuthOptions } from './oauth.js'

/** Groups of routes that can be mounted. */
export type RouteGroup = 'account' | 'session' | 'management' | 'bearer' | 'email' | 'oauth'

/** How users are named and recovered. */
export interface IdentityOptions {
  /** Logical fields that log in, in order of precedence. Default `['email', 'username']`. */
  readonly login?: readonly string[] | undefined
  /** Logical field of the factor that recovers an account, or null. Default `'email'`. */
  readonly recovery?: string | null | undefined
}

/** What sign-up takes and adds. */
export interface RegistrationOptions {
  /** Object schema (JSON Schema, TypeBox) of further members of the body; may tighten a login field. */
  readonly schema?: object | undefined
  /** Names in the body, beside the login fields, that reach the user store. Privileged ones are refused at start-up. */
  readonly extraFields?: readonly string[] | undefined
  /** Constants for new rows. */
  readonly defaults?: UserValues | undefined
  /** Values derived on the server for new rows; they win over the client's. */
  readonly fields?: ((context: RegistrationContext) => UserValues | Promise<UserValues>) | undefined
  /** False: `POST /register` is not mounted. Default true. */
  readonly enabled?: boolean | undefined
}

/** Passwords: cost, policy and hashes of older systems. */
export interface PasswordOptions {
  /** argon2id; below OWASP's floor it warns at start-up. Default 19456 KiB, 2 iterations, 1 lane. */
  readonly cost?: Partial<PasswordCost> | undefined
  /** Code points. Default 8; 15 is recommended where there is no second factor. */
  readonly minLength?: number | undefined
  /** Hashes at once. Default the number of cores, but fewer than the thread pool has threads. */
  readonly maxConcurrent?: number | undefined
  /** Hashes that may wait, beyond which the answer is 503 `CRUDAUTH_OVERLOADED`. Default 256. */
  readonly maxQueued?: number | undefined
  /** The app's own rule for new passwords: a string (told to the client) or false refuses. */
  readonly check?: PasswordCheck | undefined
  /** Verifiers of hashes that another system made. */
  readonly legacy?: readonly LegacyVerifier[] | undefined
}

/** Milliseconds that something outside this process may take before the request gets its 503. */
export interface TimeoutOptions {
  /** Default 1000. */
  readonly redisMs?: number | undefined
  /** Default 5000. */
  readonly usersMs?: number | undefined
  /** All that is asked of a provider for one sign-in; then it ends as `oauth_failed`. Default 10000. */
  readonly oauthMs?: number | undefined
}

/** Options of the plugin. A mistake in them throws `CRUDAUTH_CONFIG` at registration, before any socket is opened. */
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
  /** Sign-in at OAuth 2.0 and OpenID Connect providers. Default off. */
  readonly oauth?: OAuthOptions | undefined
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
    | Readonly<Partial<Record<LimitedAction | 'recipient', RateLimitOption>> & Record<string, RateLimitOption | undefined>>
    | undefined
  readonly timeouts?: TimeoutOptions | undefined
  readonly hooks?: CrudAuthHooks | undefined
}
