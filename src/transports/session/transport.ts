import type { FastifyRequest } from 'fastify'
import { AuthenticatedPrincipal, subjectOf } from '../../accounts/principal.js'
import type { Users } from '../../accounts/users.js'
import { onceKnown } from '../../at-once.js'
import { fail } from '../../checks.js'
import type { BoundTransport, Principal, SecurityScheme, Transport } from '../../ports/transport.js'
import type { CookieOptions } from '../cookie.js'
import { requireCsrf } from './csrf.js'
import type { LiveSession, Sessions } from './sessions.js'

/** Options of `sessionTransport`. */
export interface SessionTransportOptions {
  /** Whether unsafe verbs need the `X-CSRF-Token` header. Default true. */
  readonly csrf?: boolean | undefined
  /** Scopes of session principals. Default none. */
  readonly scopes?: readonly string[] | undefined
  /** Live sessions a user may have; the least recently active gives way. `Infinity` for no cap. Default 5. */
  readonly maxSessionsPerUser?: number | undefined
  /** Seconds of inactivity that end an ordinary session. Default 1800. */
  readonly idleSeconds?: number | undefined
  /** Days of inactivity that end a remembered session, and `Max-Age` of its cookies. Default 30. */
  readonly rememberMeDays?: number | undefined
  /** Days after which any session ends. Default 30. */
  readonly absoluteDays?: number | undefined
  /** Mounts `/sessions`, `/logout-all` and `/csrf/refresh`. Default false. */
  readonly managementRoutes?: boolean | undefined
  /** Overrides of the plugin's `cookies` for this transport. */
  readonly cookies?: CookieOptions | undefined
}

const kSessionTransport = Symbol('crudauth.sessionTransport')

/** The transport of cookie sessions as an app configures it; the plugin binds it to its state at registration. */
export interface SessionTransport extends Transport {
  readonly [kSessionTransport]: true
  readonly name: 'session'
  readonly options: SessionTransportOptions
}

/**
 * Cookie sessions with a CSRF synchronizer token, the default transport. Options are checked when the plugin is registered.
 * @see OWASP session management cheat sheet
 */
export function sessionTransport(options: SessionTransportOptions = {}): SessionTransport {
  return {
    name: 'session',
    [kSessionTransport]: true,
    options,
    authenticate: async () => fail('The session transport works only as one of the "transports" of crudAuth'),
  }
}

export const isSessionTransport = (transport: Transport): transport is SessionTransport => kSessionTransport in transport

/** OpenAPI security scheme of the session cookie. */
export const sessionScheme = (cookieName: string): SecurityScheme => ({ type: 'apiKey', in: 'cookie', name: cookieName })

interface Services {
  readonly sessions: Sessions
  readonly users: Users
  readonly recovery: string | null
  readonly csrf: boolean
  readonly scopes: readonly string[]
  readonly cookieName: string
}

/** The transport that gates ask. */
export function bindSessionTransport({ sessions, users, recovery, csrf, scopes, cookieName }: Services): BoundTransport {
  const principalOf = (request: FastifyRequest, live: LiveSession | null): Principal | null => {
    if (!live) return null
    const { record, user } = live
    if (csrf) requireCsrf(request, record)
    sessions.touch(live)
    const metadata = record.metadata === '' ? undefined : JSON.parse(record.metadata)
    const init = { transport: 'session', scopes, authenticatedAtMs: record.authenticatedAtMs, metadata }
    return new AuthenticatedPrincipal(subjectOf(users, recovery, user), user, init, live)
  }

  return {
    name: 'session',
    securityScheme: sessionScheme(cookieName),
    authenticate: (request) => onceKnown(sessions.find(request), (live) => principalOf(request, live)),
  }
}
