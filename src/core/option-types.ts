import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { CrudAuthHooks } from '../events.js'
import type { CookieOptions } from '../http/cookies.js'
import type { DeliveryChannel } from '../ports/delivery-channel.js'
import type { RegisteredUser } from '../ports/fastify.js'
import type { StateStores } from '../ports/state-stores.js'
import type { Transport } from '../ports/transport.js'
import type { UserStore } from '../ports/user-store.js'
import type { DeliveryOptions, EmailOptions } from './delivery/option-types.js'
import type { IdentityOptions } from './identity/options.js'
import type { PasswordOptions } from './passwords/options.js'
import type { LimitedAction, RateLimitOption } from './rate-limits.js'
import type { LockoutPolicy } from './sign-in/lockout.js'
import type { SudoPolicy } from './sign-in/sudo.js'
import type { RegistrationOptions } from './sign-up/options.js'

/** Groups of routes; each feature adds its own. */
// biome-ignore lint/suspicious/noEmptyInterface: open for the features
export interface RouteGroups {}

/** Name of a group of routes that can be mounted. */
export type RouteGroup = keyof RouteGroups

/** Time limits for everything outside this process. */
export interface TimeoutOptions {
  /**
   * Milliseconds a Redis command may take before the request fails with 503.
   * @defaultValue `1000`
   */
  readonly redisMs?: number | undefined
  /**
   * Milliseconds a call of the stores in `state` may take before the request fails with 503.
   * @defaultValue `1000`
   */
  readonly stateMs?: number | undefined
  /**
   * Milliseconds a call of the user store, of `oauth.accounts` or of `passkeys.store` may take
   * before the request fails with 503.
   * @defaultValue `5000`
   */
  readonly usersMs?: number | undefined
  /**
   * Milliseconds all requests to a provider may take within one sign-in. After that the sign-in
   * fails with `oauth_failed`.
   * @defaultValue `10000`
   */
  readonly oauthMs?: number | undefined
}

/**
 * Options of the plugin. Each feature adds its own. Mistakes throw `CRUDAUTH_CONFIG` at
 * registration, before any connection is opened.
 */
export interface CrudAuthOptions {
  /**
   * Secret key material: at least 32 random bytes, as a string or a Buffer. Generate one with
   * `openssl rand -base64 48`. Pass an array while you rotate secrets: the first one signs, all of
   * them verify. Every purpose gets its own key, derived with HKDF (RFC 5869).
   */
  readonly secret: string | Buffer | readonly (string | Buffer)[] | undefined
  /**
   * The store of your users: `memoryUsers()`, `kyselyUsers(db)`, or your own `UserStore`. Each
   * login field must be unique in it.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a store of any row type; `Register` types the rows
  readonly users: UserStore<RegisteredUser> | UserStore<any>
  /**
   * Where sessions, tokens and counters live: a Redis URL, ioredis options, or your own ioredis
   * `Redis` or `Cluster` client. A client that you pass in stays yours to close. Without `redis`
   * and `state`, state lives in the memory of this process and ends with it.
   * @defaultValue memory of this process
   */
  readonly redis?: string | RedisOptions | Redis | Cluster | undefined
  /**
   * Where sessions, tokens and counters live, instead of `redis`: `kyselyState(db)` for tables in
   * your database, or stores of your own, `{ sessions, oneTime, counters }`. Their connections stay
   * yours to close.
   * @defaultValue none
   */
  readonly state?: StateStores | undefined
  /**
   * Prefix of every Redis key: at most 64 letters, digits and `.:_-`.
   * @defaultValue `crudauth:`
   */
  readonly keyPrefix?: string | undefined
  /**
   * Path under which the routes are mounted, such as `/auth`.
   * @defaultValue none
   */
  readonly prefix?: string
  /**
   * Which route groups to mount. `true` mounts every group whose transport or option is configured.
   * An array mounts exactly the named groups. `false` mounts none; gates still work.
   * @defaultValue `true`
   */
  readonly routes?: boolean | readonly RouteGroup[] | undefined
  /**
   * How requests carry credentials, in order of precedence: the first one that finds a user
   * decides, and an invalid credential fails the request. Each transport needs a unique name.
   * @defaultValue `[sessionTransport()]`
   */
  readonly transports?: readonly Transport[] | undefined
  /** Which fields identify a user. */
  readonly identity?: IdentityOptions | undefined
  /** What `POST /register` accepts and stores. */
  readonly registration?: RegistrationOptions | undefined
  /** Password hashing and password rules. */
  readonly passwords?: PasswordOptions | undefined
  /**
   * Email verification and recovery by links into your front end.
   * @defaultValue off
   */
  readonly email?: EmailOptions | undefined
  /**
   * Further channels for messages to users, such as SMS. Each is `{ name?, deliver(intent),
   * close?() }`.
   * @defaultValue `[]`
   */
  readonly channels?: readonly DeliveryChannel[] | undefined
  /** How messages reach their channels. Needs `email` or `channels`. */
  readonly delivery?: DeliveryOptions | undefined
  /**
   * Sudo mode: recent re-authentication before sensitive actions. `false` turns it off;
   * `requireSudo` then refuses every request.
   * @defaultValue on
   */
  readonly sudo?: Partial<SudoPolicy> | false | undefined
  /**
   * Seconds after sign-in during which `requireFresh` passes.
   * @defaultValue `600`
   */
  readonly freshSeconds?: number | undefined
  /**
   * Cookie attributes and names, shared by all transports. `sessionTransport({ cookies })` and
   * `bearerTransport({ cookies })` override single members.
   */
  readonly cookies?: CookieOptions | undefined
  /**
   * Further origins that may post to `/login`, to `/token` and `/refresh` where the refresh token
   * is in a cookie, and to `/logout` without a session. The origin of the request itself is always
   * allowed.
   * @defaultValue `[]`
   */
  readonly trustedOrigins?: readonly string[] | undefined
  /**
   * Brute-force protection for `/login`, `/token` and `authenticatePassword`. `false` turns it off
   * and logs a warning.
   * @defaultValue on
   */
  readonly lockout?: Partial<LockoutPolicy> | false | undefined
  /**
   * Rate limits by action: `{ max, windowSeconds }`, `false` for no limit, or a function of the
   * request that returns one of these. Other names define limits for
   * `app.crudAuth.rateLimit(name)`.
   */
  readonly rateLimits?:
    | Readonly<
        Partial<Record<LimitedAction, RateLimitOption>> &
          Record<string, RateLimitOption | undefined>
      >
    | undefined
  /** Time limits for shared state, the user store and providers. */
  readonly timeouts?: TimeoutOptions | undefined
  /**
   * Functions called when something happens, or asked before it happens.
   * @defaultValue `{}`
   */
  readonly hooks?: CrudAuthHooks | undefined
}
