import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { AuthenticatedPrincipal, isCurrent, subjectOf } from '../../accounts/principal.js'
import type { Row, Users } from '../../accounts/users.js'
import { onceKnown } from '../../at-once.js'
import { fail } from '../../checks.js'
import { InvalidTokenError } from '../../errors.js'
import type { BoundTransport, SecurityScheme, Transport } from '../../ports/transport.js'
import type { CookieOptions } from '../cookie.js'
import type { TokenKey } from './keys.js'
import type { AccessClaims, AccessTokens } from './tokens.js'

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

const kBearerTransport = Symbol('crudauth.bearerTransport')

/** The transport of bearer tokens as an app configures it; the plugin binds it to its state at registration. */
export interface BearerTransport extends Transport {
  readonly [kBearerTransport]: true
  readonly name: 'bearer'
  readonly options: BearerTransportOptions
}

/**
 * JWT access tokens (RFC 6750, RFC 9068) with rotating refresh tokens. Options are checked when the plugin is registered.
 */
export function bearerTransport(options: BearerTransportOptions = {}): BearerTransport {
  return {
    name: 'bearer',
    [kBearerTransport]: true,
    options,
    authenticate: async () => fail('The bearer transport works only as one of the "transports" of crudAuth'),
  }
}

export const isBearerTransport = (transport: Transport): transport is BearerTransport => kBearerTransport in transport

const maxKnown = 5000

/** A header that has been verified before. */
interface KnownToken {
  /** Whole. */
  readonly authorization: string
  readonly claims: AccessClaims
  /** What the hash began with in a row under whose epoch the token was issued (`Users.headOf`), once one has been seen. */
  head: string | null
}

/** What a verified token is looked up by: the end of its signature. To hash the whole header costs more than to compare it. */
const endOf = (authorization: string): string => authorization.slice(-16)

const credentials = /^Bearer +([\w\-.~+/]+=*) *$/i

/**
 * How often the header stands in the request: Node keeps the first `Authorization` and drops the others silently. A request
 * that was made up (`injectWS` of @fastify/websocket) has no raw headers, and no header twice.
 */
function countAuthorization(request: FastifyRequest): number {
  const rawHeaders = (request.raw.rawHeaders as string[] | undefined) ?? []
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 13 && name.toLowerCase() === 'authorization') count++
  }
  return count
}

/** Whether the header is spelled as clients spell it: a name and one space before the token, and nothing behind. */
const isPlain = (authorization: string, token: string): boolean =>
  authorization.length === token.length + 7 && authorization.startsWith('earer ', 1)

/** OpenAPI security scheme of access tokens. */
export const bearerScheme: SecurityScheme = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }

interface Services {
  readonly tokens: AccessTokens
  readonly users: Users
  readonly recovery: string | null
  readonly statelessUser: boolean
  /** How long after its end a token is still taken. */
  readonly toleranceMs: number
  /** How far ahead the clock of who issued a token may be. */
  readonly aheadMs: number
}

/** The transport that gates ask. Needs no shared state. */
export function bindBearerTransport({ tokens, users, recovery, statelessUser, toleranceMs, aheadMs }: Services): BoundTransport {
  // By the very text of the header, and so of the token: a respelled one is another one. What can change (expiry, the user's
  // epoch) is judged each time, and the keys are those of this process from start to end.
  const known = new LRUCache<string, KnownToken>({ max: maxKnown })

  /** The request's token, or null when it carries no bearer credential. @throws InvalidTokenError */
  const tokenOf = (request: FastifyRequest): KnownToken | null => {
    const { authorization } = request.headers
    if (authorization === undefined) return null
    let found = known.get(endOf(authorization))
    if (found?.authorization !== authorization) {
      if (!/^bearer(?: |$)/i.test(authorization)) return null
      const token = credentials.exec(authorization)?.[1] ?? ''
      const claims = tokens.read(token)
      if (!claims) throw new InvalidTokenError()
      found = { authorization, claims, head: null }
      if (isPlain(authorization, token)) known.set(endOf(authorization), found)
    }
    if (countAuthorization(request) > 1) throw new InvalidTokenError()
    return found
  }

  /** As `isCurrent`; for a token that comes again the epoch is not worked out again. */
  const isOfRow = (token: KnownToken, user: Row): boolean => {
    const { head, claims } = token
    if (head !== null && users.versionOf(user) === claims.version && users.hasHead(user, head)) return true
    if (!isCurrent(users, user, claims)) return false
    token.head = users.headOf(user)
    return true
  }

  return {
    name: 'bearer',
    securityScheme: bearerScheme,
    authenticate(request) {
      const token = tokenOf(request)
      if (!token) return null
      const { claims } = token
      const now = Date.now()
      if (claims.issuedAtMs > now + aheadMs) throw new InvalidTokenError()
      if (claims.expiresAtMs + toleranceMs <= now) return null
      if (statelessUser) return new AuthenticatedPrincipal(claims, null, claims, null, claims)
      return onceKnown(users.find(claims.userId), (user) => {
        if (!user || !users.isActive(user) || !isOfRow(token, user)) return null
        return new AuthenticatedPrincipal(subjectOf(users, recovery, user), user, claims)
      })
    },
  }
}
