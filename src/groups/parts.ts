import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { LimitedAction, RateLimitOption } from '../core/rate-limits.js'
import type { Sessions } from '../core/sessions/sessions.js'
import type { Authenticate, LoginContext } from '../core/sign-in/authenticate-password.js'
import type { Row, Users } from '../core/users/users.js'
import type { CrudAuthHooks, Emit } from '../events.js'
import type { PasswordChange } from '../features/account/change-password.js'
import type { RegisterAccount } from '../features/account/register.js'
import type { PublicJwk } from '../features/bearer/signing-keys.js'
import type { Bearer } from '../features/bearer/tokens.js'
import type { EmailChange } from '../features/email/email-change.js'
import type { Recovery } from '../features/email/recovery.js'
import type { Factor } from '../features/email/recovery-factor.js'
import type { OAuthPart } from '../features/oauth/callback.js'
import type { CreateRateLimit } from '../gates/rate-limit.js'
import { fail } from '../lib/option-checks.js'
import type { DeliveryJob } from '../ports/delivery-channel.js'

/** Where the plugin keeps its services for the groups of routes. */
export const kServices = Symbol('crudauth.services')

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
