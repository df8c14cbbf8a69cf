import type { FastifyPluginAsync } from 'fastify'
import type { Core } from '../core/core.js'
import type { CrudAuthOptions, RouteGroup } from '../core/option-types.js'
import type { CoreSettings } from '../core/options.js'
import type { RateLimit, RateLimits } from '../core/rate-limits.js'
import type { AuthToolbox } from '../core/toolbox.js'
import type { CreateRateLimit } from '../gates/rate-limit.js'
import type { ResolvedCookies } from '../http/cookie-options.js'
import type { Transport } from '../ports/transport.js'

/** What `plugin.ts` needs to know of a feature: one group of routes and what belongs to it. */
export interface Feature {
  readonly name: RouteGroup
  /** Its members of `CrudAuthOptions`. */
  readonly options: readonly string[]
  /** Default limits of its actions. */
  readonly limits: Readonly<Record<string, RateLimit>>
  /** Encapsulated; also exported, so that apps can mount it themselves. */
  readonly routes: FastifyPluginAsync
  /**
   * Checks its options, before anything is made.
   * @throws CRUDAUTH_CONFIG
   */
  configure(options: CrudAuthOptions, settings: CoreSettings): ConfiguredFeature
}

/** A feature whose options are checked. */
export interface ConfiguredFeature {
  /** What is missing for its routes to be mounted; null when nothing is. */
  lacks(others: readonly ConfiguredFeature[]): string | null
  /** Whether `routes: true` mounts it. Default true. */
  readonly isMountedByDefault?: boolean
  /** Whether it brings credentials that signing out has to revoke. */
  readonly isCarrier?: boolean
  /** Cookies by which a device is known again, for a transport that signs in with a password. */
  readonly deviceCookies?: ResolvedCookies
  /** Its logical user fields that only the server may set, beside those of every model. */
  readonly privilegedFields?: readonly string[]
  /** What travels in cookies that are not Secure. */
  readonly inTheClear?: string | null
  create(core: Core, limits: RouteLimits): CreatedFeature | Promise<CreatedFeature>
}

/** Rate limits for the routes of a feature. */
export interface RouteLimits {
  readonly rateLimit: CreateRateLimit
  readonly limits: RateLimits
}

/** A feature at work. */
export interface CreatedFeature {
  /** What its routes call; absent where they cannot be mounted. */
  readonly part?: object | null
  /** Its part of `app.crudAuth`. */
  readonly toolbox?: Partial<AuthToolbox>
  readonly transport?: Transport
  /** Whether a 401 carries `WWW-Authenticate: Bearer`. */
  readonly challenges?: boolean
  /** Whether the scope `account` is granted, which bearer tokens then need to change credentials. */
  readonly grantsAccount?: boolean
  /** Mounted at the root, without the prefix. */
  readonly rootRoutes?: FastifyPluginAsync
}
