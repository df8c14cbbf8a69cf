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

/** Clock skew to expect between hosts with synchronized clocks. */
const minAheadSeconds = 5

/** RFC 6749, section 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Leaves room for the other claims: a token of more than 8192 characters is rejected
 * (`access-tokens.ts`).
 */
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
  if (bad !== undefined) fail(`"${name}" takes scopes without spaces, quotes and backslashes`)
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

/**
 * False if all keys are public ones, which can only verify. Any value that isn't a list of keys is
 * rejected later, by `asymmetricKeys`.
 */
const canIssue = (keys: unknown): boolean =>
  !Array.isArray(keys) ||
  keys.some((key) => (key as Partial<TokenKey> | null)?.privateKey !== undefined)

/**
 * @param shared the plugin's `cookies` option, which the transport's `cookies` override
 * @param prefix where the routes are mounted, the default path of the refresh cookie
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
  // A cookie path can't match route parameters, so only the part before the first one is used.
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
    fail('"bearerTransport.jwks" needs "keys": a secret has no public key to publish')
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
    futureToleranceMs: Math.max(minAheadSeconds, toleranceSeconds) * 1000,
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

/** Options of `bearerTransport()`. */
export interface BearerTransportOptions {
  /**
   * Lifetime of an access token in seconds, 1 to 86400.
   * @defaultValue `900`
   */
  readonly accessSeconds?: number | undefined
  /**
   * Days until a refresh token expires. Each rotation restarts the period; with
   * `rotateRefresh: false` it counts from the sign-in. Fractions are allowed.
   * @defaultValue `30`
   */
  readonly refreshDays?: number | undefined
  /**
   * Clock-skew tolerance for `exp` in seconds, 0 to 60. Tokens issued in the future are accepted up
   * to the same number of seconds, or 5 if that is more.
   * @defaultValue `0`
   */
  readonly clockToleranceSeconds?: number | undefined
  /**
   * Where the refresh token travels: in an HttpOnly cookie (`cookie`) or in request and response
   * bodies (`body`).
   * @defaultValue `cookie`
   */
  readonly refresh?: 'cookie' | 'body' | undefined
  /**
   * Whether each use of a refresh token returns a new one (RFC 9700, section 4.14.2).
   * @defaultValue `true`
   */
  readonly rotateRefresh?: boolean | undefined
  /**
   * Seconds during which a repeated use of a refresh token returns the same successor, 0 to 300.
   * After that, reuse revokes the token family.
   * @defaultValue `10`
   */
  readonly reuseGraceSeconds?: number | undefined
  /**
   * Scopes of a token when the client asks for none. At most 4096 characters in all.
   * @defaultValue `[]`
   */
  readonly defaultScopes?: readonly string[] | undefined
  /**
   * Scopes that a client may ask for. Must contain `defaultScopes`. At most 4096 characters in all.
   * @defaultValue `defaultScopes`
   */
  readonly grantableScopes?: readonly string[] | undefined
  /**
   * `Path` of the refresh cookie.
   * @defaultValue the prefix
   */
  readonly refreshCookiePath?: string | undefined
  /**
   * `iss` claim of the tokens, verified if set. At most 512 characters.
   * @defaultValue none
   */
  readonly issuer?: string | undefined
  /**
   * `aud` claim of the tokens, verified if set. At most 512 characters.
   * @defaultValue none
   */
  readonly audience?: string | undefined
  /**
   * Asymmetric signing keys instead of one derived from `secret`. The first key with a private half
   * signs; all of them verify.
   * @defaultValue none
   */
  readonly keys?: readonly TokenKey[] | undefined
  /**
   * Whether to serve the public keys at `/.well-known/jwks.json`, at the root of the server. Needs
   * `keys`.
   * @defaultValue `false`
   */
  readonly jwks?: boolean | undefined
  /**
   * Whether to build the principal from the claims of the token alone, without reading the user.
   * `principal.user` then throws, and a token stays valid until it expires, whatever happens to the
   * account.
   * @defaultValue `false`
   */
  readonly statelessUser?: boolean | undefined
  /**
   * Overrides of the `cookies` option for the refresh cookie.
   * @defaultValue those of `cookies`
   */
  readonly cookies?: CookieOptions | undefined
}

/** OpenAPI security scheme of access tokens. */
export const bearerScheme: SecurityScheme = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }

const kBearerTransport = Symbol('crudauth.bearerTransport')

/**
 * The bearer transport as an app configures it. The plugin binds it to its services at
 * registration.
 */
export interface BearerTransport extends Transport {
  readonly [kBearerTransport]: true
  readonly name: 'bearer'
  readonly options: BearerTransportOptions
}

/**
 * JWT access tokens (RFC 6750, RFC 9068) with rotating refresh tokens. Options are checked when the
 * plugin is registered.
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
