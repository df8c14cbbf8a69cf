import type { Core } from '../../core/core.js'
import type { Revocable } from '../../core/credentials/credentials.js'
import { AuthenticatedPrincipal } from '../../core/principal/principal.js'
import { metadataText } from '../../core/sessions/new-session.js'
import type { Sessions } from '../../core/sessions/sessions.js'
import { completeSignInWith } from '../../core/sign-in/complete.js'
import type { Feature } from '../../groups/feature.js'
import { type SessionServices, sessionRoutes } from './routes.js'
import { createSessionSignIn } from './sign-in.js'
import { createSignOut } from './sign-out.js'
import { createSessionToolbox } from './toolbox.js'
import { bindSessionTransport } from './transport.js'

export { sessionRoutes } from './routes.js'
export type { SessionInfo, SessionsToolbox } from './toolbox.js'

declare module '../../core/option-types.js' {
  interface RouteGroups {
    session: true
  }
}

const revocableSessions = (sessions: Sessions, { users }: Core): Revocable => ({
  kind: 'session',
  list: sessions.list,
  revoke: sessions.revoke,
  revokeAll: sessions.revokeAll,
  async addNextEpoch(changed, caller) {
    const standing = AuthenticatedPrincipal.sessionOf(caller)
    if (!standing) return
    const epoch = await sessions.addNextEpoch(standing, users.epochOf(changed))
    AuthenticatedPrincipal.patchSession(caller, { epoch })
  },
})

/** Cookie sessions: `/login`, `/logout`, the session transport. */
export const session: Feature = {
  name: 'session',
  options: [],
  limits: {},
  routes: sessionRoutes,
  configure: (_options, { session: settings }) => ({
    // Without sessions, `/logout` can still revoke refresh tokens.
    missing: (others) =>
      settings || others.some(({ hasRefreshCredential: isCarrier }) => isCarrier)
        ? null
        : 'sessionTransport() among the "transports"',
    insecureCookies: settings && !settings.cookies.policy.secure ? 'sessions' : null,
    create(core) {
      const { users, emit, authenticate, loginContext, credentials } = core
      const sessions = core.sessions?.sessions ?? null
      if (sessions) credentials.revocables.push(revocableSessions(sessions, core))
      if (sessions)
        core.signIns.transports.set('session', {
          establish: createSessionSignIn({ sessions, users, emit }),
          prepare({ rememberMe, metadata }) {
            metadataText(metadata)
            return { rememberMe, metadata }
          },
          setsCookies: true,
        })
      const signOut = createSignOut({ sessions, carriers: credentials.carriers, users, emit })
      core.signIns.signOut = signOut
      const services: SessionServices = {
        authenticate,
        loginContext,
        trustedOrigins: core.settings.trustedOrigins,
        sessions,
        carriers: credentials.carriers,
        complete: sessions && completeSignInWith(core, 'session'),
        hasSecondFactor: () => core.signIns.secondFactor !== null,
        signOut,
      }
      const toolbox = createSessionToolbox({
        users,
        authenticate,
        loginContext,
        sessions,
        credentials,
        clients: core.clients,
        signIns: core.signIns,
      })
      if (!core.sessions || !settings) return { services, toolbox }
      const { csrf, scopes } = settings
      const recovery = core.settings.identity.recovery
      return {
        services,
        toolbox,
        transport: bindSessionTransport({ ...core.sessions, users, recovery, csrf, scopes }),
      }
    },
  }),
}
