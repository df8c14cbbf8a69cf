import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { Detail } from '../../schemas/common.js'
import { isTruthy, LoggedIn, Login } from '../../schemas/session.js'
import { accountView } from '../accounts/view.js'
import { UnauthenticatedError } from '../errors.js'
import { authenticate, setPrincipal } from '../gates/authenticate.js'
import { refuseCrossSite } from '../http/cross-site.js'
import { defineGroup, type OwnRoute } from '../http/group.js'
import { servicesOf, sessionOf } from './services.js'

/** `POST /login` and `POST /logout`. */
export const sessionRoutes = defineGroup('session', (app) => {
  const services = servicesOf(app)
  const { users, emit, trustedOrigins } = services
  const { sessions } = sessionOf(app, 'session')

  const login: OwnRoute = {
    method: 'POST',
    url: '/login',
    schema: {
      operationId: 'login',
      tags: ['session'],
      summary: 'Sign in with a password and get a session',
      body: Login,
      response: { 200: LoggedIn },
    },
    docs: {
      auth: 'none',
      form: true,
      errors: {
        400: 'Malformed body (FST_ERR_VALIDATION)',
        401: 'Unknown identifier, wrong password, or an account that can not sign in: one answer for all (CRUDAUTH_BAD_CREDENTIALS)',
        403: 'Posted by a foreign site, or refused by the app (CRUDAUTH_CROSS_SITE, CRUDAUTH_FORBIDDEN)',
        413: 'Body above 16 KiB',
        415: 'Neither JSON nor a form',
        429: 'Locked out (CRUDAUTH_LOCKED_OUT)',
        503: 'Overloaded, or shared state or the users’ database is unreachable (CRUDAUTH_OVERLOADED, CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    before: [
      async function crossSite(request) {
        refuseCrossSite(request, trustedOrigins)
      },
    ],
    async handler(request: FastifyRequest<{ Body: Static<typeof Login> }>, reply) {
      const { username, password, remember_me } = request.body
      const { user, forgive } = await services.authenticate(username, password, services.loginContext(request))
      const session = await sessions.create(request, user, { rememberMe: isTruthy(remember_me) })
      await forgive()
      sessions.setCookies(request, reply, session)
      await emit('onAfterLogin', { user, transport: 'session' }, request)
      const view = accountView(users, user)
      return { id: view.id, username: view.username, csrf_token: session.csrfToken }
    },
  }

  const logout: OwnRoute = {
    method: 'POST',
    url: '/logout',
    schema: { operationId: 'logout', tags: ['session'], summary: 'End the session', response: { 200: Detail } },
    docs: {
      auth: 'session',
      errors: {
        401: 'No live session; the cookies are cleared all the same (CRUDAUTH_UNAUTHENTICATED)',
        403: 'The CSRF token is missing or wrong (CRUDAUTH_CSRF)',
        503: 'Shared state is unreachable (CRUDAUTH_UNAVAILABLE)',
      },
    },
    isPublic: true,
    before: [
      async function liveSession(request, reply) {
        const principal = await authenticate(request, 'session')
        if (principal) return setPrincipal(request, principal)
        sessions.clearCookies(reply)
        throw new UnauthenticatedError()
      },
    ],
    async handler(request, reply) {
      const { userId, user, sessionId } = request.principal
      if (sessionId !== undefined) await sessions.revoke(userId, sessionId)
      sessions.clearCookies(reply)
      await emit('onAfterLogout', { user }, request)
      return { detail: 'Signed out' }
    },
  }

  return [login, logout]
})
