import { resolveCookies } from '../../http/cookie-options.js'
import type { CookieOptions } from '../../http/cookies.js'
import {
  checkBoolean,
  checkInteger,
  checkObject,
  checkPositive,
  checkStrings,
  describe,
  fail,
} from '../../lib/option-checks.js'
import type { SecurityScheme, Transport } from '../../ports/transport.js'
import type { TokenKey } from './signing-keys.js'

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
    fail(
      `"${name}" must have at most ${maxScopesLength} characters in all, got ${length}: a token has to hold them`,
    )
  const bad = scopes.find((scope) => !scopeToken.test(scope))
  if (bad !== undefined)
    fail(`"${name}" takes scopes without spaces, quotes and backslashes; one is not`)
  return scopes
}

function checkName(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '')
    fail(`"${name}" must be a non-empty string, got ${describe(value)}`)
  if (value.length > maxNameLength)
    fail(`"${name}" must have at most ${maxNameLength} characters, got ${value.length}`)
  return value
}

/** False where every key is a public one, which can only verify. What is no list of keys is refused when it is imported. */
const canIssue = (keys: unknown): boolean =>
  !Array.isArray(keys) ||
  keys.some((key) => (key as Partial<TokenKey> | null)?.privateKey !== undefined)

/**
 * @param shared the plugin's own `cookies`, which the transport's override
 * @param prefix where the routes are mounted: the refresh cookie goes nowhere else
 */
export function resolveBearer(
  options: BearerTransportOptions,
  shared: CookieOptions | undefined,
  prefix: string,
) {
  checkObject('bearerTransport', options, known)
  const refresh = options.refresh ?? 'cookie'
  if (refresh !== 'cookie' && refresh !== 'body')
    fail(`"bearerTransport.refresh" must be "cookie" or "body", got ${describe(refresh)}`)
  // A browser knows nothing of parameters: the part before the first is all that it can match.
  const path = { path: options.refreshCookiePath ?? (prefix.replace(/\/:.*$/, '') || '/') }
  const cookies = resolveCookies('bearerTransport.cookies', shared, path, options.cookies)
  if (cookies.policy.sameSite === 'none' && !cookies.policy.secure)
    fail('"cookies.sameSite" of "none" needs "cookies.secure"')
  const defaultScopes = checkScopes('bearerTransport.defaultScopes', options.defaultScopes, [])
  const grantableScopes = checkScopes(
    'bearerTransport.grantableScopes',
    options.grantableScopes,
    defaultScopes,
  )
  const beyond = defaultScopes.find((scope) => !grantableScopes.includes(scope))
  if (beyond !== undefined)
    fail(`"bearerTransport.grantableScopes" lacks "${beyond}" of "defaultScopes"; add it`)
  const jwks = checkBoolean('bearerTransport.jwks', options.jwks, false)
  if (jwks && options.keys === undefined)
    fail('"bearerTransport.jwks" needs "keys": a secret has no public half to publish')
  const toleranceSeconds = checkInteger(
    'bearerTransport.clockToleranceSeconds',
    options.clockToleranceSeconds,
    0,
    0,
    60,
  )
  return Object.freeze({
    accessSeconds: checkInteger(
      'bearerTransport.accessSeconds',
      options.accessSeconds,
      900,
      1,
      86_400,
    ),
    toleranceMs: toleranceSeconds * 1000,
    aheadMs: Math.max(minAheadSeconds, toleranceSeconds) * 1000,
    refreshMs: checkPositive('bearerTransport.refreshDays', options.refreshDays, 30) * 86_400_000,
    refresh,
    rotate: checkBoolean('bearerTransport.rotateRefresh', options.rotateRefresh, true),
    graceMs:
      checkInteger('bearerTransport.reuseGraceSeconds', options.reuseGraceSeconds, 10, 0, 300) *
      1000,
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

/** Options of `bearerTransport`. */
export interface BearerTransportOptions {
  /** Lifetime of an access token in seconds. Default 900. */
  readonly accessSeconds?: number | undefined
  /** Lifetime of an unused refresh token in days. Default 30. */
  readonly refreshDays?: number | undefined
  /**
   * Seconds that an access token is still taken after its end, where the clocks of several hosts differ. Default 0. A token
   * of the future is taken up to so many seconds ahead, or 5 if that is more: the issuer's clock may run before this one.
   */
  readonly clockToleranceSeconds?: number | undefined
  /** Where the refresh token travels: in an HttpOnly cookie, or in the bodies. Default `'cookie'`. */
  readonly refresh?: 'cookie' | 'body' | undefined
  /** Whether each use of a refresh token gives a new one. Default true (RFC 9700, 4.14.2). */
  readonly rotateRefresh?: boolean | undefined
  /** Seconds in which a repeated use gets the same successor; 0: any second use ends the family. Default 10. */
  readonly reuseGraceSeconds?: number | undefined
  /** Scopes of a token for which none were asked. Default none. */
  readonly defaultScopes?: readonly string[] | undefined
  /** Scopes that may be asked for. Default `defaultScopes`. */
  readonly grantableScopes?: readonly string[] | undefined
  /** Path of the refresh cookie. Default: where the routes are mounted. */
  readonly refreshCookiePath?: string | undefined
  /** `iss` of the tokens; checked where given. */
  readonly issuer?: string | undefined
  /** `aud` of the tokens; checked where given. */
  readonly audience?: string | undefined
  /** Asymmetric keys instead of one derived from `secret`; the first with a private half signs, all verify. */
  readonly keys?: readonly TokenKey[] | undefined
  /** Serves the public halves of `keys` at `/.well-known/jwks.json`, at the root. Default false. */
  readonly jwks?: boolean | undefined
  /**
   * Makes the principal of the token's claims alone: no database at all, `principal.user` throws, and a token is good until
   * it expires whatever happens to its user; only the routes about the row (`/me` and the passwords) look at it. Default false.
   */
  readonly statelessUser?: boolean | undefined
  /** Overrides of the plugin's `cookies` for the refresh cookie. */
  readonly cookies?: CookieOptions | undefined
}

/** OpenAPI security scheme of access tokens. */
export const bearerScheme: SecurityScheme = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }

const kBearerTransport = Symbol('crudauth.bearerTransport')

/** The transport of bearer tokens as an app configures it; the plugin binds it to its state at registration. */
export interface BearerTransport extends Transport {
  readonly [kBearerTransport]: true
  readonly name: 'bearer'
  readonly options: BearerTransportOptions
}

/**
 * JWT access tokens (RFC 6750, RFC 9068) with rotating refresh tokens. Options are checked when the plugin is registered.
 * @example
 * app.register(crudAuth, { secret, users, transports: [bearerTransport({ refresh: 'cookie' })] })
 */
export function bearerTransport(options: BearerTransportOptions = {}): BearerTransport {
  return {
    name: 'bearer',
    [kBearerTransport]: true,
    options,
    securityScheme: bearerScheme,
    authenticate: async () =>
      fail('The bearer transport works only as one of the "transports" of crudAuth'),
  }
}

export const isBearerTransport = (transport: Transport): transport is BearerTransport =>
  kBearerTransport in transport
