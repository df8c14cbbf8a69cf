import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { PasswordChange } from '../accounts/change-password.js'
import type { Authenticate, LoginContext } from '../accounts/login.js'
import type { OAuthAttempts } from '../accounts/oauth/attempts.js'
import type { OAuthLinking } from '../accounts/oauth/linking.js'
import type { ResolveOAuth } from '../accounts/oauth/resolve.js'
import type { EmailChange } from '../accounts/recovery/email-change.js'
import type { Factor } from '../accounts/recovery/factor.js'
import type { Recovery } from '../accounts/recovery/recovery.js'
import type { RegisterAccount } from '../accounts/register.js'
import type { Row, Users } from '../accounts/users.js'
import { fail } from '../checks.js'
import type { CrudAuthHooks, Emit } from '../events.js'
import type { CreateRateLimit, RateLimitOption } from '../gates/rate-limit.js'
import type { OAuthProtocol } from '../oauth/protocol.js'
import type { DeliveryJob } from '../ports/delivery-channel.js'
import type { Bearer } from '../transports/bearer/bearer.js'
import type { PublicJwk } from '../transports/bearer/keys.js'
import type { Sessions } from '../transports/session/sessions.js'

/** Where the plugin keeps its services for the groups of routes. */
export const kServices = Symbol('crudauth.services')

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

/** Signing in at providers. */
export interface OAuthPart {
  /** Keys of the providers. */
  readonly providers: readonly string[]
  readonly attempts: OAuthAttempts
  readonly resolve: ResolveOAuth
  readonly linking: OAuthLinking
  readonly sessions: Sessions
  /** Whether browsers withhold the session cookie when the provider sends them back (`SameSite=Strict`). */
  readonly isSessionWithheld: boolean
  /** Secret of the browser, in a cookie that lives as long as an attempt. */
  readonly browser: {
    read(request: FastifyRequest): string | null
    /** Keeps the one that is there, so that several attempts can be under way. Returns it. */
    write(request: FastifyRequest, reply: FastifyReply): string
  }
  /** Path of the same origin. */
  readonly defaultRedirect: string
  /** The exchanges by the key of the provider, for callbacks under a prefix. @throws CRUDAUTH_CONFIG */
  protocolsAt(prefix: string): ReadonlyMap<string, OAuthProtocol>
  redirectUri(prefix: string, provider: string): string
}

/** What the groups of routes call. */
export interface Services {
  readonly users: Users
  /** Logical name of the recovery factor, or null. */
  readonly recoveryField: string | null
  /** Delivers a job of the app's own queue; null where nothing can be sent. */
  readonly deliver: ((job: DeliveryJob) => Promise<void>) | null
  /** Null without delivery, and without a recovery factor. */
  readonly recovery: {
    readonly recovery: Recovery
    readonly factor: Factor
    /** JSON schema of the factor's values. */
    readonly schema: object
    /** Null where users have no email. */
    readonly emailChange: EmailChange | null
  } | null
  readonly authenticate: Authenticate
  readonly loginContext: (request: FastifyRequest) => LoginContext
  /** Lets the device be known at the next sign-in of that user. */
  readonly rememberDevice: (request: FastifyRequest, reply: FastifyReply, user: Row) => void
  readonly register: RegisterAccount
  readonly passwordChange: PasswordChange
  readonly emit: Emit
  readonly rateLimit: CreateRateLimit
  readonly limits: Readonly<Record<LimitedAction, RateLimitOption>>
  readonly trustedOrigins: ReadonlySet<string>
  readonly registration: {
    readonly enabled: boolean
    readonly bodySchema: Readonly<Record<string, unknown>>
  }
  /** Null without a bearer transport. */
  readonly bearer: {
    readonly bearer: Bearer
    readonly publicKeys: readonly PublicJwk[]
    readonly canIssue: boolean
    readonly statelessUser: boolean
  } | null
  /** Null without providers. */
  readonly oauth: OAuthPart | null
  readonly hooks: CrudAuthHooks
  /** Null without a session transport. */
  readonly session: { readonly sessions: Sessions; readonly csrf: boolean } | null
}

/** @throws CRUDAUTH_CONFIG when the plugin is not registered above the group */
export function servicesOf(app: FastifyInstance): Services {
  const services = (app as unknown as { [kServices]?: Services })[kServices]
  return services ?? fail('Register crudAuth before its groups of routes, on the same instance or above it')
}

/** @throws CRUDAUTH_CONFIG without a bearer transport */
export function bearerOf(app: FastifyInstance, group: string): NonNullable<Services['bearer']> {
  return servicesOf(app).bearer ?? fail(`The "${group}" routes need bearerTransport() among the "transports"`)
}

/** @throws CRUDAUTH_CONFIG without delivery or a recovery factor */
export function recoveryOf(app: FastifyInstance): NonNullable<Services['recovery']> {
  return (
    servicesOf(app).recovery ??
    fail('The "email" routes need a way to send ("email" or "channels") and a factor to send to ("identity.recovery")')
  )
}

/** @throws CRUDAUTH_CONFIG without providers */
export function oauthOf(app: FastifyInstance): OAuthPart {
  return servicesOf(app).oauth ?? fail('The "oauth" routes need "oauth": { baseUrl, providers }')
}

/** @throws CRUDAUTH_CONFIG without a session transport */
export function sessionOf(app: FastifyInstance, group: string): NonNullable<Services['session']> {
  return servicesOf(app).session ?? fail(`The "${group}" routes need sessionTransport() among the "transports"`)
}
