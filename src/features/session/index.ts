import type { EndEverything, Slots } from '../../core/credentials/user-records.js'
import type { ResolvedOptions } from '../../core/options.js'
import { createSessions, type Sessions } from '../../core/sessions/sessions.js'
import type { DeviceCookie } from '../../core/sign-in/known-device.js'
import type { Users } from '../../core/users/users.js'
import { createCookie } from '../../http/cookies.js'
import type { SessionStore } from '../../ports/session-store.js'
import type { BoundTransport } from '../../ports/transport.js'
import { bindSessionTransport } from './transport.js'

/** What the session transport brings. */
interface SessionPart {
  readonly sessions: Sessions
  readonly csrf: boolean
  readonly transport: BoundTransport
}

/** Null without a session transport. */
export function composeSession(
  options: ResolvedOptions,
  users: Users,
  store: SessionStore,
  slots: Slots,
  endEverything: EndEverything,
  device: DeviceCookie | null,
): SessionPart | null {
  const { session: settings, keys, identity } = options
  if (!settings || !device) return null
  const { names, policy } = settings.cookies
  const cookies = { session: createCookie(names.session, policy, true), csrf: createCookie(names.csrf, policy, false) }
  const csrfKey = keys('csrf')[0]
  const sessions = createSessions({ store, users, slots, endEverything, csrfKey, settings, cookies, device })
  const { csrf, scopes } = settings
  const transport = bindSessionTransport({
    sessions,
    users,
    recovery: identity.recovery,
    csrf,
    scopes,
    cookieName: cookies.session.name,
  })
  return { sessions, csrf, transport }
}
