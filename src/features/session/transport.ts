import { AuthenticatedPrincipal, subjectOf } from '../../core/principal/principal.js'
import { setOnReply } from '../../core/principal/request-principal.js'
import { requireCsrf } from '../../core/sessions/csrf.js'
import { sessionScheme } from '../../core/sessions/options.js'
import type { LiveSession, Sessions } from '../../core/sessions/sessions.js'
import type { Users } from '../../core/users/users.js'
import type { Transport } from '../../ports/transport.js'

interface Dependencies {
  readonly sessions: Sessions
  readonly users: Users
  readonly recovery: string | null
  readonly csrf: boolean
  readonly scopes: readonly string[]
  readonly cookieName: string
}

/** Binds the session transport to its services. */
export function bindSessionTransport({
  sessions,
  users,
  recovery,
  csrf,
  scopes,
  cookieName,
}: Dependencies): Transport {
  const principalOf = (live: LiveSession) => {
    const { record, user } = live
    const metadata = sessions.metadataOf(record)
    const init = {
      transport: 'session',
      scopes,
      authenticatedAtMs: record.authenticatedAtMs,
      ...(metadata && { metadata }),
      // Opened on demand: most requests never ask.
      amrOf: () => sessions.methodsOf(record),
    }
    return new AuthenticatedPrincipal(subjectOf(users, recovery, user), user, init, live)
  }
  return {
    name: 'session',
    securityScheme: sessionScheme(cookieName),
    async authenticate(request) {
      const live = await sessions.find(request)
      if (!live) return null
      if (csrf) requireCsrf(request, live.record)
      const renew = await sessions.touch(request, live)
      if (renew) setOnReply(request, renew)
      return principalOf(live)
    },
    async resolve(request) {
      const live = await sessions.find(request)
      return live && principalOf(live)
    },
  }
}
