import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { KeySet, TokenRequest, Tokens } from '../../../schemas/bearer.js'
import { RefreshRequest } from '../../../schemas/common.js'
import { orChallenge } from '../../../schemas/mfa.js'
import type { Authenticate } from '../../core/sign-in/authenticate-password.js'
import type { CompleteSignIn } from '../../core/sign-in/complete.js'
import type { LoginContext } from '../../core/sign-in/known-device.js'
import type { Emit } from '../../events.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import { servicesOf } from '../../groups/services.js'
import { refuseCrossSite } from '../../http/cross-site.js'
import { fail } from '../../lib/option-checks.js'
import { createTokenAnswer } from './sign-in.js'
import type { PublicJwk } from './signing-keys.js'
import { type Bearer, refreshTokens } from './tokens.js'

const tags = ['bearer']
const unavailable =
  'Overloaded, or Redis or the users database is unreachable (CRUDAUTH_OVERLOADED, CRUDAUTH_UNAVAILABLE)'

const needs = 'The "bearer" routes need bearerTransport() among the "transports"'

/** Services of the bearer routes. */
export interface BearerServices {
  readonly emit: Emit
  readonly authenticate: Authenticate
  readonly loginContext: (request: FastifyRequest) => LoginContext
  readonly complete: CompleteSignIn
  /** Whether the response may be the challenge of a second factor. */
  readonly hasSecondFactor: () => boolean
  readonly trustedOrigins: ReadonlySet<string>
  readonly bearer: Bearer
  readonly publicKeys: readonly PublicJwk[]
  /** Whether refresh tokens travel only in a cookie. */
  readonly takesCookie: boolean
  /** False if the keys can only verify. */
  readonly canIssue: boolean
}

/**
 * `POST /token` and `POST /refresh`.
 * @example
 * app.register(crudAuth, { secret, users, transports: [bearerTransport()], routes: false })
 * app.register(bearerRoutes, { prefix: '/api' })
 */
export const bearerRoutes = defineGroup('bearer', (app) => {
  const services = servicesOf<BearerServices>(app, 'bearer', needs)
  const { emit, trustedOrigins, bearer, canIssue } = services
  if (!canIssue)
    fail(
      'The "bearer" routes issue tokens, for which one of the "keys" of bearerTransport needs a "privateKey"',
    )
  const byCookie = bearer.refresh === 'cookie'

  /** With a cookie, another site could sign the browser in (login CSRF) or refresh its tokens. */
  const crossSite = byCookie
    ? [
        async function crossSite(request: FastifyRequest) {
          refuseCrossSite(request, trustedOrigins)
        },
      ]
    : []
  const crossSiteError = byCookie ? { 403: 'Cross-site request (CRUDAUTH_CROSS_SITE)' } : {}

  const answer = createTokenAnswer(bearer)

  const token: OwnRoute = {
    method: 'POST',
    url: '/token',
    schema: {
      operationId: 'token',
      tags,
      summary: 'Sign in with a password and receive tokens',
      body: TokenRequest,
      response: { 200: orChallenge(Tokens, services.hasSecondFactor()) },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        401: 'Unknown identifier, wrong password, or an account that cannot sign in; the response is the same for all (CRUDAUTH_BAD_CREDENTIALS)',
        403: byCookie
          ? 'Cross-site request, or refused by the app (CRUDAUTH_CROSS_SITE, CRUDAUTH_FORBIDDEN)'
          : 'Refused by the app (CRUDAUTH_FORBIDDEN)',
        413: 'Body above 16 KiB',
        415: 'Neither JSON nor a form',
        429: 'Locked out; the lockout is shared with /login (CRUDAUTH_LOCKED_OUT)',
        503: unavailable,
      },
    },
    isPublic: true,
    takesMultipart: true,
    before: crossSite,
    async handler(request: FastifyRequest<{ Body: Static<typeof TokenRequest> }>, reply) {
      const { username, password, scope } = request.body
      const { user, attempt } = await services.authenticate(
        username,
        password,
        services.loginContext(request),
      )
      const asked = scope?.split(' ').filter(Boolean) ?? []
      return services.complete(request, reply, user, {
        scopes: asked.length > 0 ? asked : undefined,
        amr: ['pwd'],
        identifier: username,
        attempt,
      })
    },
  }

  const refresh: OwnRoute = {
    method: 'POST',
    url: '/refresh',
    schema: {
      operationId: 'refresh',
      tags,
      summary: 'Exchange a refresh token for a new access token',
      body: RefreshRequest,
      response: { 200: Tokens },
    },
    docs: {
      auth: 'none',
      form: true,
      // Only the cookie is read.
      hidesBody: services.takesCookie,
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        401: 'No refresh token, or it is unknown, used, expired or revoked (CRUDAUTH_UNAUTHENTICATED, CRUDAUTH_INVALID_TOKEN)',
        ...crossSiteError,
        503: 'Redis or the users database is unreachable (CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    before: crossSite,
    async handler(request, reply) {
      // An error doesn't clear the cookie: the browser may have a newer one by now.
      return answer(reply, await refreshTokens(bearer, emit, request, bearer.presented(request)))
    },
  }

  return [token, refresh]
})

/** `GET /.well-known/jwks.json` (RFC 7517), mounted at the root. */
export const jwksRoutes = defineGroup('jwks', (app) => {
  const { publicKeys } = servicesOf<BearerServices>(app, 'bearer', needs)
  const route: OwnRoute = {
    method: 'GET',
    url: '/.well-known/jwks.json',
    schema: {
      operationId: 'jwks',
      tags,
      summary: 'Public keys of the access tokens',
      response: { 200: KeySet },
    },
    docs: { auth: 'none', errors: {} },
    isPublic: true,
    before: [],
    async handler(_request, reply) {
      reply.header('cache-control', 'public, max-age=300')
      return { keys: publicKeys }
    },
  }
  return [route]
})
