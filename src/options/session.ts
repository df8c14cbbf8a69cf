import { checkBoolean, checkInteger, checkObject, checkPositive, checkStrings, fail } from '../checks.js'
import type { CookieOptions } from '../transports/cookie.js'
import type { SessionTransportOptions } from '../transports/session/transport.js'
import { type ResolvedCookies, resolveCookies } from './cookies.js'

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

/** @param shared the plugin's own `cookies`, which the transport's override */
export function resolveSession(options: SessionTransportOptions, shared: CookieOptions | undefined) {
  checkObject('sessionTransport', options, known)
  const cookies: ResolvedCookies = resolveCookies('sessionTransport.cookies', shared, options.cookies)
  if (cookies.policy.sameSite === 'none') {
    fail('"cookies.sameSite" must be "lax" or "strict" for sessions: with "none" every site could use them')
  }
  const cap = options.maxSessionsPerUser
  const days = (name: 'rememberMeDays' | 'absoluteDays') => checkPositive(`sessionTransport.${name}`, options[name], 30) * dayMs
  const absoluteMs = days('absoluteDays')
  return Object.freeze({
    cookies,
    csrf: checkBoolean('sessionTransport.csrf', options.csrf, true),
    scopes: checkStrings('sessionTransport.scopes', options.scopes, []),
    maxSessionsPerUser:
      cap === Number.POSITIVE_INFINITY ? cap : checkInteger('sessionTransport.maxSessionsPerUser', cap, 5, 1, 1_000_000),
    managementRoutes: checkBoolean('sessionTransport.managementRoutes', options.managementRoutes, false),
    lifetime: {
      idleMs: checkPositive('sessionTransport.idleSeconds', options.idleSeconds, 1800) * 1000,
      rememberMs: days('rememberMeDays'),
      absoluteMs,
    },
  })
}
