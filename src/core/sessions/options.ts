import { type ResolvedCookies, resolveCookies } from '../../http/cookie-options.js'
import type { CookieOptions } from '../../http/cookies.js'
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkPositive,
  checkStrings,
  fail,
} from '../../lib/option-checks.js'
import type { SecurityScheme, Transport } from '../../ports/transport.js'

const dayMs = 86_400_000

const known = [
  'csrf',
  'scopes',
  'maxSessionsPerUser',
  'idleSeconds',
  'rememberMeDays',
  'absoluteDays',
  'managementRoutes',
  'cookies',
]

/** @param shared the plugin's `cookies` option, which `options.cookies` overrides */
export function resolveSession(
  options: SessionTransportOptions,
  shared: CookieOptions | undefined,
) {
  checkObject('sessionTransport', options, known)
  const cookies: ResolvedCookies = resolveCookies(
    'sessionTransport.cookies',
    shared,
    options.cookies,
  )
  if (cookies.policy.sameSite === 'none') {
    fail(
      '"cookies.sameSite" must be "lax" or "strict" for sessions: with "none" every site could send them',
    )
  }
  const cap = options.maxSessionsPerUser
  const days = (name: 'rememberMeDays' | 'absoluteDays') =>
    checkPositive(`sessionTransport.${name}`, options[name], 30) * dayMs
  const absoluteMs = days('absoluteDays')
  return Object.freeze({
    cookies,
    csrf: checkBoolean('sessionTransport.csrf', options.csrf, true),
    scopes: checkStrings('sessionTransport.scopes', options.scopes, []),
    maxSessionsPerUser:
      cap === Number.POSITIVE_INFINITY
        ? cap
        : checkInteger('sessionTransport.maxSessionsPerUser', cap, 5, 1, 1_000_000),
    managementRoutes: checkBoolean(
      'sessionTransport.managementRoutes',
      options.managementRoutes,
      false,
    ),
    lifetime: {
      idleMs: checkPositive('sessionTransport.idleSeconds', options.idleSeconds, 1800) * 1000,
      rememberMs: days('rememberMeDays'),
      absoluteMs,
    },
  })
}

/** Options of `sessionTransport()`. */
export interface SessionTransportOptions {
  /**
   * Whether requests other than GET, HEAD and OPTIONS need the `X-CSRF-Token` header.
   * @defaultValue `true`
   */
  readonly csrf?: boolean | undefined
  /**
   * Scopes of principals that come from a session.
   * @defaultValue `[]`
   */
  readonly scopes?: readonly string[] | undefined
  /**
   * Maximum number of live sessions per user. A new sign-in ends the least recently active one.
   * `Infinity` for no limit.
   * @defaultValue `5`
   */
  readonly maxSessionsPerUser?: number | undefined
  /**
   * Seconds of inactivity after which a session ends. Fractions are allowed.
   * @defaultValue `1800`
   */
  readonly idleSeconds?: number | undefined
  /**
   * Days of inactivity after which a remembered session ends, and `Max-Age` of its cookies.
   * Fractions are allowed.
   * @defaultValue `30`
   */
  readonly rememberMeDays?: number | undefined
  /**
   * Days after sign-in at which any session ends. Fractions are allowed.
   * @defaultValue `30`
   */
  readonly absoluteDays?: number | undefined
  /**
   * Whether to mount `/sessions`, `/logout-all` and `/csrf/refresh`.
   * @defaultValue `false`
   */
  readonly managementRoutes?: boolean | undefined
  /**
   * Overrides of the `cookies` option for this transport.
   * @defaultValue those of `cookies`
   */
  readonly cookies?: CookieOptions | undefined
}

const kSessionTransport = Symbol('crudauth.sessionTransport')

/**
 * The session transport as an app configures it. The plugin binds it to its state at registration.
 */
export interface SessionTransport extends Transport {
  readonly [kSessionTransport]: true
  readonly name: 'session'
  readonly options: SessionTransportOptions
}

/**
 * Cookie sessions with a CSRF synchronizer token; the default transport. Options are checked when
 * the plugin is registered.
 * @see OWASP session management cheat sheet
 * @example
 * app.register(crudAuth, {
 *   secret,
 *   users,
 *   transports: [sessionTransport({ managementRoutes: true })],
 * })
 */
export function sessionTransport(options: SessionTransportOptions = {}): SessionTransport {
  return {
    name: 'session',
    [kSessionTransport]: true,
    options,
    authenticate: async () =>
      fail('The session transport works only as one of the "transports" of crudAuth'),
  }
}

export const isSessionTransport = (transport: Transport): transport is SessionTransport =>
  kSessionTransport in transport

/** OpenAPI security scheme of the session cookie. */
export const sessionScheme = (cookieName: string): SecurityScheme => ({
  type: 'apiKey',
  in: 'cookie',
  name: cookieName,
})
