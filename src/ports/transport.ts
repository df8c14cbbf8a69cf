import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { RegisteredUser } from './fastify.js'
import type { UserId, UserStore } from './user-store.js'

/** Who is asking, whatever the credential was. */
export interface Principal {
  /** Primary key, in the type in which the store returns it. */
  readonly userId: UserId
  /** The app's own row with its own column names. */
  readonly user: RegisteredUser
  /** Name of the transport that authenticated the request. */
  readonly transport: string
  readonly scopes: readonly string[]
  readonly isSuperuser: boolean
  readonly emailVerified: boolean
  /** Whether the recovery factor of the identity is verified. */
  readonly recoveryVerified: boolean
  /** Handle of the session, for session principals. */
  readonly sessionId?: string | undefined
  /** What the app stored with the session, or what its own transport says. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** True when every one of `scopes` is held, given one by one or as a list. */
  hasScopes(...scopes: (string | readonly string[])[]): boolean
}

/** What a transport says about a principal beside the user. */
export interface PrincipalInit {
  readonly transport: string
  /** Default none. */
  readonly scopes?: readonly string[]
  readonly metadata?: Readonly<Record<string, unknown>>
  /** When the user last proved a credential, `Date.now()` milliseconds. Absent: never fresh. */
  readonly authenticatedAtMs?: number
}

/** What a transport may use of the app's authentication. */
export interface TransportToolbox {
  readonly users: UserStore<RegisteredUser>
  /** Makes the principal of a user row; null for a disabled account. */
  createPrincipal(user: RegisteredUser, init: PrincipalInit): Principal | null
}

/** An OpenAPI 3 security scheme object. */
export type SecurityScheme = Readonly<Record<string, unknown>>

/** One way in which a request can carry a credential. */
export interface Transport {
  /** Unique among the app's transports: `principal.transport`, `via` of `/me` and the `transport` option of gates. */
  readonly name: string
  /**
   * The principal; null when the credential is absent or has merely ended (the next transport is asked); throws when it was
   * tampered with, which fails the request even on an optional route. Called at most once a request.
   */
  authenticate(request: FastifyRequest, auth: TransportToolbox): Promise<Principal | null>
  /**
   * As `authenticate`, for `app.crudAuth.resolvePrincipal`: without what guards changes alone (a CSRF token), and without any
   * effect. Default: `authenticate`.
   */
  resolve?(request: FastifyRequest, auth: TransportToolbox): Promise<Principal | null>
  /** Routes that the transport brings, mounted under the plugin's prefix. */
  readonly routes?: FastifyPluginAsync
  /** Described in the app's OpenAPI document under the transport's name. */
  readonly securityScheme?: SecurityScheme
}
