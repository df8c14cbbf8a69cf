import type { Feature } from '../../groups/feature.js'
import { type ManagementServices, managementRoutes } from './routes.js'

export { managementRoutes } from './routes.js'

declare module '../../core/option-types.js' {
  interface RouteGroups {
    management: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    /**
     * Signing out everywhere, by session. All sessions of a user together may use ten times as
     * many. A session that signed in just now, or is in sudo mode, is never refused.
     * @defaultValue 10 per 3600 s
     */
    logout_all: true
    /**
     * New CSRF tokens, by session.
     * @defaultValue 30 per 3600 s
     */
    csrf_refresh: true
  }
}

/** Session management: `/sessions`, `/logout-all`, `/csrf/refresh`. */
export const management: Feature = {
  name: 'management',
  options: [],
  limits: {
    logout_all: { max: 10, windowSeconds: 3600 },
    csrf_refresh: { max: 30, windowSeconds: 3600 },
  },
  routes: managementRoutes,
  configure: (_options, { session }) => ({
    missing: () => (session ? null : 'sessionTransport() among the "transports"'),
    isMountedByDefault: session?.managementRoutes ?? false,
    create({ sessions, clients, emit, settings, credentials: { revocables } }, limits) {
      if (!sessions || !session) return {}
      const services: ManagementServices = {
        ...limits,
        emit,
        sessions: sessions.sessions,
        csrf: session.csrf,
        clients,
        revocables,
        freshSeconds: settings.freshSeconds,
      }
      return { services }
    },
  }),
}
