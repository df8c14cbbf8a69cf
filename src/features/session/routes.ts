import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { Detail, isTruthy, RefreshRequest } from '../../../schemas/common.js'
import { orChallenge } from '../../../schemas/mfa.js'
import { LoggedIn, Login } from '../../../schemas/session.js'
import type { RefreshCredential } from '../../core/credentials/credentials.js'
import type { Sessions } from '../../core/sessions/sessions.js'
import type { Authenticate } from '../../core/sign-in/authenticate-password.js'
import type { CompleteSignIn, SignOut } from '../../core/sign-in/complete.js'
import type { LoginContext } from '../../core/sign-in/known-device.js'
import { UnauthenticatedError } from '../../errors.js'
import { authenticate, setPrincipal } from '../../gates/authenticate.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import { servicesOf } from '../../groups/services.js'
import { refuseCrossSite } from '../../http/cross-site.js'
import { fail } from '../../lib/option-checks.js'

/** Services of the session routes. */
export interface SessionServices {
  readonly authenticate: Authenticate
  readonly loginContext: (request: FastifyRequest) => LoginContext
  readonly trustedOrigins: ReadonlySet<string>
  /** Null without a session transport. */
  readonly sessions: Sessions | null
  readonly carriers: readonly RefreshCredential[]
  /** Null without a session transport. */
  readonly complete: CompleteSignIn | null
  /** Whether the response may be the challenge of a second factor. */
  readonly hasSecondFactor: () => boolean
  readonly signOut: SignOut
}

/**
 * `POST /login` (with a session transport) and `POST /logout`.
 * @example
 * app.register(crudAuth, { secret, users, routes: false })
 * app.register(sessionRoutes, { prefix: '/web' })
 */
export const sessionRoutes = defineGroup('session', (app) => {
  const needs = 'The "session" routes need sessionTransport() or bearerTransport()'
  const part = servicesOf<SessionServices>(app, 'session', needs)
  if (!part.sessions && part.carriers.length === 0) fail(needs)
  const { complete } = part
  return [...(complete ? [loginRoute(part, complete)] : []), logoutRoute(part)]
})

function loginRoute(services: SessionServices, complete: CompleteSignIn): OwnRoute {
  const { trustedOrigins } = services
  return {
    method: 'POST',
    url: '/login',
    schema: {
      operationId: 'login',
      tags: ['session'],
      summary: 'Sign in with a password and start a session',
      body: Login,
      response: { 200: orChallenge(LoggedIn, services.hasSecondFactor()) },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        401: 'Unknown identifier, wrong password, or an account that cannot sign in; the response is the same for all (CRUDAUTH_BAD_CREDENTIALS)',
        403: 'Cross-site request, or refused by the app (CRUDAUTH_CROSS_SITE, CRUDAUTH_FORBIDDEN)',
        413: 'Body above 16 KiB',
        415: 'Neither JSON nor a form',
        429: 'Locked out (CRUDAUTH_LOCKED_OUT)',
        503: 'Overloaded, or Redis or the users database is unreachable (CRUDAUTH_OVERLOADED, CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    takesMultipart: true,
    before: [
      async function crossSite(request) {
        refuseCrossSite(request, trustedOrigins)
      },
    ],
    async handler(request: FastifyRequest<{ Body: Static<typeof Login> }>, reply) {
      const { username, password, remember_me } = request.body
      const { user, attempt } = await services.authenticate(
        username,
        password,
        services.loginContext(request),
      )
      return complete(request, reply, user, {
        rememberMe: isTruthy(remember_me),
        amr: ['pwd'],
        identifier: username,
        attempt,
      })
    },
  }
}

/** Ends the session of the request and the families of the refresh tokens that it carries. */
function logoutRoute({ sessions, carriers, signOut, trustedOrigins }: SessionServices): OwnRoute {
  const isCarried = carriers.length > 0
  return {
    method: 'POST',
    url: '/logout',
    schema: {
      operationId: 'logout',
      tags: ['session'],
      summary: isCarried ? 'End the session and revoke the refresh token' : 'End the session',
      ...(isCarried && { body: RefreshRequest }),
      response: { 200: Detail },
    },
    docs: {
      auth: sessions ? 'session' : 'none',
      form: isCarried,
      hidesBody: !carriers.some(({ inBody }) => inBody),
      errors: {
        ...(isCarried && { 400: 'Malformed body (FST_ERR_VALIDATION)' }),
        401: 'There is nothing to end (CRUDAUTH_UNAUTHENTICATED)',
        403: 'The CSRF token is missing or wrong, or a cross-site request (CRUDAUTH_CSRF, CRUDAUTH_CROSS_SITE)',
        503: 'Redis is unreachable (CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    before: [
      async function liveSession(request) {
        const principal = sessions ? await authenticate(request, ['session']) : null
        if (principal) return setPrincipal(request, principal)
        if (!isCarried) throw new UnauthenticatedError()
        refuseCrossSite(request, trustedOrigins)
      },
    ],
    handler: signOut,
  }
}
