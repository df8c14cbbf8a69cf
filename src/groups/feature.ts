import type { FastifyPluginAsync } from 'fastify'
import type { Core } from '../core/core.js'
import type { CrudAuthOptions, RouteGroup } from '../core/option-types.js'
import type { CoreSettings } from '../core/options.js'
import type { RateLimit, RateLimits } from '../core/rate-limits.js'
import type { AuthToolbox } from '../core/toolbox.js'
import type { CreateRateLimit } from '../gates/rate-limit.js'
import type { ResolvedCookies } from '../http/cookie-options.js'
import type { Transport } from '../ports/transport.js'

/** A feature as `plugin.ts` sees it: one group of routes and what belongs to it. */
export interface Feature {
  readonly name: RouteGroup
  /** Names of its members of `CrudAuthOptions`. */
  readonly options: readonly string[]
  /** Default rate limits of its actions. */
  readonly limits: Readonly<Record<string, RateLimit>>
  /** Encapsulated; also exported, so that apps can mount it themselves. */
  readonly routes: FastifyPluginAsync
  /**
   * Checks its options, before anything is created.
   * @throws CRUDAUTH_CONFIG
   */
  configure(options: CrudAuthOptions, settings: CoreSettings): ConfiguredFeature
}

/** A feature with checked options. */
export interface ConfiguredFeature {
  /** What its routes need that is not configured, or null. */
  missing(others: readonly ConfiguredFeature[]): string | null
  /** Whether `routes: true` mounts it. Default true. */
  readonly isMountedByDefault?: boolean
  /** Whether it registers a `Carrier`, whose credentials sign-out revokes. */
  readonly hasRefreshCredential?: boolean
  /** Cookies that recognize a known device, for a transport with password sign-in. */
  readonly deviceCookies?: ResolvedCookies
  /** Logical fields of its own that only the server may set. */
  readonly privilegedFields?: readonly string[]
  /**
   * Logical fields of its own that it writes, also null, with the characters that a text column
   * must hold.
   */
  readonly writtenFields?: Readonly<Record<string, number>>
  /** What is sent in cookies without `Secure`, for a warning at start-up; null for nothing. */
  readonly insecureCookies?: string | null
  create(core: Core, limits: RouteLimits): CreatedFeature | Promise<CreatedFeature>
}

/** Rate limits for the routes of a feature. */
export interface RouteLimits {
  readonly rateLimit: CreateRateLimit
  readonly limits: RateLimits
}

/** A feature with its services. */
export interface CreatedFeature {
  /** Services that its routes call. Absent if the routes can't be mounted. */
  readonly services?: object | null
  /** Its methods on `app.crudAuth`. */
  readonly toolbox?: Partial<AuthToolbox>
  readonly transport?: Transport
  /** Whether a 401 carries `WWW-Authenticate: Bearer`. */
  readonly challenges?: boolean
  /** Whether the scope `account` is grantable. Bearer tokens then need it to change credentials. */
  readonly grantsAccount?: boolean
  /** Mounted at the root, without the prefix. */
  readonly rootRoutes?: FastifyPluginAsync
}
