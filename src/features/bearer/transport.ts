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
 * How often the header is in the request: Node keeps the first `Authorization` and drops the others silently. A request
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

interface Dependencies {
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
export function bindBearerTransport({
  tokens,
  users,
  recovery,
  statelessUser,
  toleranceMs,
  aheadMs,
}: Dependencies): Transport {
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
    if (
      head !== null &&
      users.versionOf(user) === claims.version &&
      users.hasHashPrefix(user, head)
    )
      return true
    if (!isCurrent(users, user, claims)) return false
    token.head = users.hashPrefixOf(user)
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
      if (claims.issuedAtMs > now + aheadMs) throw new InvalidTokenError()
      if (claims.expiresAtMs + toleranceMs <= now) return null
      if (statelessUser) return new AuthenticatedPrincipal(claims, null, claims, null, claims)
      const user = await users.findById(claims.userId)
      if (!user || !users.isActive(user) || !isOfRow(token, user)) return null
      return new AuthenticatedPrincipal(subjectOf(users, recovery, user), user, claims)
    },
  }
}
