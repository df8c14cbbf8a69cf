import { checkBoolean, checkInteger, checkObject, checkPositive, checkStrings, describe, fail } from '../checks.js'
import type { TokenKey } from '../transports/bearer/keys.js'
import type { BearerTransportOptions } from '../transports/bearer/transport.js'
import type { CookieOptions } from '../transports/cookie.js'
import { resolveCookies } from './cookies.js'

const known = [
  'accessSeconds',
  'clockToleranceSeconds',
  'refreshDays',
  'refresh',
  'rotateRefresh',
  'reuseGraceSeconds',
  'defaultScopes',
  'grantableScopes',
  'refreshCookiePath',
  'issuer',
  'audience',
  'keys',
  'jwks',
  'statelessUser',
  'cookies',
]

/** What clocks that are kept in time differ by at most. */
const minAheadSeconds = 5

/** RFC 6749, 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** More would not fit into a token with the rest of it: beyond 8192 characters it is refused (`tokens.ts`). */
const maxScopesLength = 4096
const maxNameLength = 512

function checkScopes(name: string, value: unknown, fallback: readonly string[]) {
  const scopes = checkStrings(name, value, fallback)
  const { length } = scopes.join(' ')
  if (length > maxScopesLength)
    fail(`"${name}" must have at most ${maxScopesLength} characters in all, got ${length}: a token has to hold them`)
  const bad = scopes.find((scope) => !scopeToken.test(scope))
  if (bad !== undefined) fail(`"${name}" takes scopes without spaces, quotes and backslashes; one is not`)
  return scopes
}

function checkName(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') fail(`"${name}" must be a non-empty string, got ${describe(value)}`)
  if (value.length > maxNameLength) fail(`"${name}" must have at most ${maxNameLength} characters, got ${value.length}`)
  return value
}

/** False where every key is a public one, which can only verify. What is no list of keys is refused when it is imported. */
const canIssue = (keys: unknown): boolean =>
  !Array.isArray(keys) || keys.some((key) => (key as Partial<TokenKey> | null)?.privateKey !== undefined)

/**
 * @param shared the plugin's own `cookies`, which the transport's override
 * @param prefix where the routes are mounted: the refresh cookie goes nowhere else
 */
export function resolveBearer(options: BearerTransportOptions, shared: CookieOptions | undefined, prefix: string) {
  checkObject('bearerTransport', options, known)
  const refresh = options.refresh ?? 'cookie'
  if (refresh !== 'cookie' && refresh !== 'body')
    fail(`"bearerTransport.refresh" must be "cookie" or "body", got ${describe(refresh)}`)
  // A browser knows nothing of parameters: the part before the first is all that it can match.
  const path = { path: options.refreshCookiePath ?? (prefix.replace(/\/:.*$/, '') || '/') }
  const cookies = resolveCookies('bearerTransport.cookies', shared, path, options.cookies)
  if (cookies.policy.sameSite === 'none' && !cookies.policy.secure) fail('"cookies.sameSite" of "none" needs "cookies.secure"')
  const defaultScopes = checkScopes('bearerTransport.defaultScopes', options.defaultScopes, [])
  const grantableScopes = checkScopes('bearerTransport.grantableScopes', options.grantableScopes, defaultScopes)
  const beyond = defaultScopes.find((scope) => !grantableScopes.includes(scope))
  if (beyond !== undefined) fail(`"bearerTransport.grantableScopes" lacks "${beyond}" of "defaultScopes"; add it`)
  const jwks = checkBoolean('bearerTransport.jwks', options.jwks, false)
  if (jwks && options.keys === undefined) fail('"bearerTransport.jwks" needs "keys": a secret has no public half to publish')
  const toleranceSeconds = checkInteger('bearerTransport.clockToleranceSeconds', options.clockToleranceSeconds, 0, 0, 60)
  return Object.freeze({
    accessSeconds: checkInteger('bearerTransport.accessSeconds', options.accessSeconds, 900, 1, 86_400),
    toleranceMs: toleranceSeconds * 1000,
    aheadMs: Math.max(minAheadSeconds, toleranceSeconds) * 1000,
    refreshMs: checkPositive('bearerTransport.refreshDays', options.refreshDays, 30) * 86_400_000,
    refresh,
    rotate: checkBoolean('bearerTransport.rotateRefresh', options.rotateRefresh, true),
    graceMs: checkInteger('bearerTransport.reuseGraceSeconds', options.reuseGraceSeconds, 10, 0, 300) * 1000,
    defaultScopes,
    grantableScopes,
    issuer: checkName('bearerTransport.issuer', options.issuer),
    audience: checkName('bearerTransport.audience', options.audience),
    keys: options.keys,
    canIssue: canIssue(options.keys),
    jwks,
    statelessUser: checkBoolean('bearerTransport.statelessUser', options.statelessUser, false),
    cookies,
  })
}
