import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { AuthenticatedPrincipal, subjectOf } from '../../core/principal/principal.js'
import { isCurrent } from '../../core/users/epoch.js'
import type { Row, Users } from '../../core/users/users.js'
import { InvalidTokenError } from '../../errors.js'
import type { Transport } from '../../ports/transport.js'
import type { AccessClaims, AccessTokens } from './access-tokens.js'
import { bearerScheme } from './options.js'

const maxKnown = 5000

/** A header that has been verified before. */
interface KnownToken {
  /** The complete header. */
  readonly authorization: string
  readonly claims: AccessClaims
  /**
   * Hash prefix (`Users.hashPrefixOf`) of a row with the epoch of the token. Null until such a row
   * was read.
   */
  hashPrefix: string | null
}

/**
 * Cache key of a verified token: the end of its signature. Hashing the complete header would cost
 * more than comparing it.
 */
const endOf = (authorization: string): string => authorization.slice(-16)

const credentials = /^Bearer +([\w\-.~+/]+=*) *$/i

/**
 * How often the header occurs: Node keeps the first `Authorization` and silently drops the others.
 * A simulated request (`injectWS` of @fastify/websocket) has no raw headers, so no duplicates.
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

/** Whether the header has its usual form: the scheme, one space and the token. */
const isPlain = (authorization: string, token: string): boolean =>
  authorization.length === token.length + 7 && authorization.startsWith('earer ', 1)

interface Dependencies {
  readonly tokens: AccessTokens
  readonly users: Users
  readonly recovery: string | null
  readonly statelessUser: boolean
  /** Clock-skew tolerance for the expiry. */
  readonly toleranceMs: number
  /** How far in the future the issue time may be (clock skew of the issuer). */
  readonly futureToleranceMs: number
}

/** Binds the bearer transport to its services. It needs no shared state. */
export function bindBearerTransport({
  tokens,
  users,
  recovery,
  statelessUser,
  toleranceMs,
  futureToleranceMs: aheadMs,
}: Dependencies): Transport {
  // An entry matches only the exact text of the header, so another spelling of the token is
  // verified, too. Expiry and epoch are checked on each request. The keys never change in this
  // process.
  const known = new LRUCache<string, KnownToken>({ max: maxKnown })

  /** The token of the request, or null without a bearer credential. @throws InvalidTokenError */
  const tokenOf = (request: FastifyRequest): KnownToken | null => {
    const { authorization } = request.headers
    if (authorization === undefined) return null
    let found = known.get(endOf(authorization))
    if (found?.authorization !== authorization) {
      if (!/^bearer(?: |$)/i.test(authorization)) return null
      const token = credentials.exec(authorization)?.[1] ?? ''
      const claims = tokens.read(token)
      if (!claims) throw new InvalidTokenError()
      found = { authorization, claims, hashPrefix: null }
      if (isPlain(authorization, token)) known.set(endOf(authorization), found)
    }
    if (countAuthorization(request) > 1) throw new InvalidTokenError()
    return found
  }

  /** Like `isCurrent`, but doesn't compute the epoch again for a token that was seen before. */
  const isOfRow = (token: KnownToken, user: Row): boolean => {
    const { hashPrefix: head, claims } = token
    if (
      head !== null &&
      users.versionOf(user) === claims.version &&
      users.hasHashPrefix(user, head)
    )
      return true
    if (!isCurrent(users, user, claims)) return false
    token.hashPrefix = users.hashPrefixOf(user)
    return true
  }

  return {
    name: 'bearer',
    securityScheme: bearerScheme,
    async authenticate(request) {
      const token = tokenOf(request)
      if (!token) return null
      const { claims } = token
      const now = Date.now()
      if (claims.notBeforeMs > now + aheadMs) throw new InvalidTokenError()
      if (claims.expiresAtMs + toleranceMs <= now) return null
      if (statelessUser) return new AuthenticatedPrincipal(claims, null, claims, null, claims)
      const user = await users.findById(claims.userId)
      if (!user || !users.isActive(user) || !isOfRow(token, user)) return null
      return new AuthenticatedPrincipal(subjectOf(users, recovery, user), user, claims)
    },
  }
}
