import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { RegisteredUser } from './fastify.js'
import type { UserId, UserStore } from './user-store.js'

/**
 * How a user authenticated: `pwd` a password, `oauth` a provider, `otp` a one-time code, `recovery`
 * a recovery code, `webauthn` a passkey, and `mfa` whenever two factors were verified.
 */
export type AuthenticationMethod = 'pwd' | 'otp' | 'recovery' | 'webauthn' | 'oauth' | 'mfa'

/** The authenticated caller of a request, the same for every transport. */
export interface Principal {
  /** Primary key, in the type that the store returns. */
  readonly userId: UserId
  /** The row of the user with your column names, without credential columns. */
  readonly user: RegisteredUser
  /** Name of the transport that authenticated the request. */
  readonly transport: string
  /** Scopes of the credential. */
  readonly scopes: readonly string[]
  readonly isSuperuser: boolean
  readonly emailVerified: boolean
  /** Whether the recovery field is verified. */
  readonly recoveryVerified: boolean
  /**
   * How the user authenticated when the credential was issued. Empty where the plugin was not told.
   * Access tokens carry it as the `amr` claim (RFC 8176), which has no value for `oauth` and
   * `recovery`.
   */
  readonly amr: readonly AuthenticationMethod[]
  /** Handle of the session, for session principals. */
  readonly sessionId?: string | undefined
  /** What you stored with the session, or what your own transport sets. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Whether the principal has all of these scopes. */
  hasScopes(...scopes: (string | readonly string[])[]): boolean
}

/** What a transport adds to the user to create a principal. */
export interface PrincipalInit {
  readonly transport: string
  /** Default none. */
  readonly scopes?: readonly string[]
  readonly metadata?: Readonly<Record<string, unknown>>
  /**
   * When the user last authenticated, in milliseconds since 1970. Without it the principal is never
   * fresh.
   */
  readonly authenticatedAtMs?: number
  /** How the user authenticated. Default none. */
  readonly amr?: readonly AuthenticationMethod[]
}

/** Functions of the plugin for a transport. */
export interface TransportToolbox {
  /** Your user store, with time limits. */
  readonly users: UserStore<RegisteredUser>
  /** Creates the principal of a user row. Null for a disabled account. */
  createPrincipal(user: RegisteredUser, init: PrincipalInit): Principal | null
}

/** An OpenAPI 3 security scheme object. */
export type SecurityScheme = Readonly<Record<string, unknown>>

/**
 * A way for requests to carry a credential.
 * @example
 * const apiKeys: Transport = {
 *   name: 'apikey',
 *   async authenticate(request, auth) {
 *     const user = await ownerOf(request.headers['x-api-key'])
 *     return user && auth.createPrincipal(user, { transport: 'apikey' })
 *   },
 * }
 */
export interface Transport {
  /** Unique name: `principal.transport`, `via` of `/me`, and the `transport` option of gates. */
  readonly name: string
  /**
   * Returns the principal. Null if the credential is absent or has ended: the next transport is
   * asked. Throws for an invalid credential, which fails the request even on optional routes.
   * Called at most once per request.
   */
  authenticate(request: FastifyRequest, auth: TransportToolbox): Promise<Principal | null>
  /**
   * Like `authenticate`, for `app.crudAuth.resolvePrincipal`: without checks that guard changes
   * only (such as CSRF), and without side effects. Default: `authenticate`.
   */
  resolve?(request: FastifyRequest, auth: TransportToolbox): Promise<Principal | null>
  /**
   * Creates the credential of a user who has authenticated, and returns the response body. With
   * this, `completeLogin(…, { transport: name })` and the second factor work for the transport.
   * @param user without credential columns
   */
  signIn?(
    request: FastifyRequest,
    reply: FastifyReply,
    user: RegisteredUser,
    context: { readonly amr: readonly AuthenticationMethod[] },
  ): Promise<object>
  /** Routes of the transport, mounted under the prefix of the plugin. */
  readonly routes?: FastifyPluginAsync
  /** OpenAPI security scheme, under the name of the transport. */
  readonly securityScheme?: SecurityScheme
}
