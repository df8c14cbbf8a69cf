import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { Detail, isTruthy } from '../../../schemas/common.js'
import {
  CsrfToken,
  LogoutAllQuery,
  Revoked,
  SessionList,
  SessionParams,
} from '../../../schemas/management.js'
import type { Revocable } from '../../core/credentials/credentials.js'
import { AuthenticatedPrincipal, rowOf } from '../../core/principal/principal.js'
import type { ClientRecords } from '../../core/sessions/client-record.js'
import { isCsrfToken } from '../../core/sessions/csrf.js'
import type { LiveSession, Sessions } from '../../core/sessions/sessions.js'
import { BadRequestError, NotFoundError, UnauthenticatedError } from '../../errors.js'
import type { Emit } from '../../events.js'
import { currentUser } from '../../gates/current-user.js'
import { defineGroup, type OwnRoute } from '../../groups/define-group.js'
import type { RouteLimits } from '../../groups/feature.js'
import { servicesOf } from '../../groups/services.js'
import { type ClientInfo, deviceLabel } from '../../http/client-info.js'
import type { SessionRecord } from '../../ports/session-store.js'

const tags = ['management']
const common = {
  401: 'No live session (CRUDAUTH_UNAUTHENTICATED)',
  503: 'Redis is unreachable (CRUDAUTH_UNAVAILABLE)',
}
const withCsrf = { ...common, 403: 'The CSRF token is missing or wrong (CRUDAUTH_CSRF)' }

const sessionView = (record: SessionRecord, client: ClientInfo, current: string | undefined) => ({
  id: record.handle,
  session_id: record.handle,
  device: {
    browser: client.browser,
    browser_version: client.browserVersion,
    os: client.os,
    device: client.device,
    is_mobile: client.kind === 'mobile',
    is_tablet: client.kind === 'tablet',
    is_pc: client.kind === 'pc',
  },
  label: deviceLabel(client),
  ip: client.ip,
  created_at: new Date(record.createdAtMs).toISOString(),
  last_activity: new Date(record.lastActivityAtMs).toISOString(),
  current: record.handle === current,
})

/** Services of the management routes. */
export interface ManagementServices extends RouteLimits {
  readonly emit: Emit
  readonly sessions: Sessions
  readonly clients: ClientRecords
  readonly csrf: boolean
  readonly revocables: readonly Revocable[]
  readonly freshSeconds: number
}

/**
 * `GET /sessions`, `DELETE /sessions/{session_id}`, `POST /logout-all`, `POST /csrf/refresh`.
 * @example
 * app.register(crudAuth, { secret, users, routes: ['account', 'session'] })
 * app.register(managementRoutes, { prefix: '/devices' })
 */
export const managementRoutes = defineGroup('management', (app) => {
  const needs = 'The "management" routes need sessionTransport() among the "transports"'
  const part = servicesOf<ManagementServices>(app, 'management', needs)
  const { rateLimit, limits, emit, revocables, sessions, clients, csrf } = part
  const session = currentUser({ transport: 'session' })
  const limitLogoutAll = rateLimit('logout_all', limits.logout_all, {
    key: 'session',
    userCeiling: 10,
    // A user who has just authenticated can always sign out a thief who has used up the limit.
    exempts: ({ principal }) => AuthenticatedPrincipal.isFresh(principal, part.freshSeconds),
  })
  // Counted by session, after the session is found: a forged cookie must not create a counter.
  const limitRefresh = rateLimit('csrf_refresh', limits.csrf_refresh, {
    key: (request) => sessions.handleOf(request) ?? '',
  })

  const list: OwnRoute = {
    method: 'GET',
    url: '/sessions',
    schema: {
      operationId: 'listSessions',
      tags,
      summary: 'Signed-in devices',
      response: { 200: SessionList },
    },
    docs: { auth: 'session', errors: common },
    before: [session],
    async handler(request) {
      const { sessionId } = request.principal
      const user = rowOf(request.principal)
      return (await sessions.list(user)).map((record) =>
        sessionView(record, clients.open(record.client), sessionId),
      )
    },
  }

  const revoke: OwnRoute = {
    method: 'DELETE',
    url: '/sessions/:session_id',
    schema: {
      operationId: 'revokeSession',
      tags,
      summary: 'Sign one device out',
      params: SessionParams,
      response: { 200: Detail },
    },
    docs: {
      auth: 'session',
      errors: { ...withCsrf, 404: 'No such session, or not yours (CRUDAUTH_NOT_FOUND)' },
    },
    before: [session],
    async handler(request: FastifyRequest<{ Params: Static<typeof SessionParams> }>, reply) {
      const { userId, sessionId } = request.principal
      const user = rowOf(request.principal)
      const { session_id } = request.params
      if (!(await sessions.revoke(userId, session_id))) throw new NotFoundError()
      if (session_id === sessionId) {
        sessions.clearCookies(reply)
        await emit('onAfterLogout', { user }, request)
      }
      return { detail: 'Session ended' }
    },
  }

  const logoutAll: OwnRoute = {
    method: 'POST',
    url: '/logout-all',
    schema: {
      operationId: 'logoutAll',
      tags,
      summary: 'Sign every device out',
      querystring: LogoutAllQuery,
      response: { 200: Revoked },
    },
    docs: {
      auth: 'session',
      errors: {
        ...withCsrf,
        400: 'Malformed query (FST_ERR_VALIDATION)',
        429: 'Too many requests (CRUDAUTH_RATE_LIMITED)',
      },
    },
    before: [session, limitLogoutAll],
    async handler(request: FastifyRequest<{ Querystring: Static<typeof LogoutAllQuery> }>, reply) {
      const { userId, sessionId } = request.principal
      const user = rowOf(request.principal)
      const keep = isTruthy(request.query.keep_current) && sessionId !== undefined
      const kept = keep ? { handle: sessionId } : undefined
      const ended = await Promise.all(revocables.map(({ revokeAll }) => revokeAll(userId, kept)))
      const revoked = ended.reduce((sum, count) => sum + count, 0)
      if (!keep) {
        sessions.clearCookies(reply)
        await emit('onAfterLogout', { user }, request)
      }
      return { detail: keep ? 'Every other session ended' : 'Every session ended', revoked }
    },
  }

  const found = new WeakMap<FastifyRequest, LiveSession>()
  const refreshCsrf: OwnRoute = {
    method: 'POST',
    url: '/csrf/refresh',
    schema: {
      operationId: 'refreshCsrf',
      tags,
      summary: 'Get the current CSRF token, or a new one',
      response: { 200: CsrfToken },
    },
    docs: {
      auth: 'session',
      csrf: false,
      errors: {
        ...common,
        400: 'CSRF is off (CRUDAUTH_BAD_REQUEST)',
        429: 'Too many requests (CRUDAUTH_RATE_LIMITED)',
      },
    },
    isPublic: true,
    before: [
      async function liveSession(request, reply) {
        if (!csrf) throw new BadRequestError('CSRF protection is off')
        const live = await sessions.find(request)
        if (!live) throw new UnauthenticatedError()
        found.set(request, live)
        const presented = sessions.csrfCookie(request)
        // Returning the current token isn't counted: a front end on another origin asks for it on
        // each reload.
        if (presented === null || !isCsrfToken(presented, live.record))
          await limitRefresh(request, reply)
      },
    ],
    async handler(request, reply) {
      const live = found.get(request) as LiveSession
      const presented = sessions.csrfCookie(request)
      if (presented !== null && isCsrfToken(presented, live.record))
        return { csrf_token: presented }
      const token = await sessions.rotateCsrf(live)
      if (token === null) throw new UnauthenticatedError()
      sessions.setCsrfCookie(reply, token, live.record)
      return { csrf_token: token }
    },
  }

  return [list, revoke, logoutAll, refreshCsrf]
})
