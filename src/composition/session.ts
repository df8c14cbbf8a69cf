import type { Users } from '../accounts/users.js'
import type { ResolvedOptions } from '../options/resolve.js'
import type { SessionStore } from '../ports/session-store.js'
import type { BoundTransport } from '../ports/transport.js'
import { createCookie } from '../transports/cookie.js'
import type { DeviceCookie } from '../transports/device.js'
import { createSessions, type Sessions } from '../transports/session/sessions.js'
import { bindSessionTransport } from '../transports/session/transport.js'
import type { EndEverything, Slots } from '../transports/slots.js'

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
