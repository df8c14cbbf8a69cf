import type { Users } from '../accounts/users.js'
import type { ResolvedOptions } from '../options/resolve.js'
import type { SessionStore } from '../ports/session-store.js'
import type { Transport } from '../ports/transport.js'
import { type Bearer, createBearer } from '../transports/bearer/bearer.js'
import { asymmetricKeys, type PublicJwk, secretKeys } from '../transports/bearer/keys.js'
import { createRotation } from '../transports/bearer/rotation.js'
import { createAccessTokens } from '../transports/bearer/tokens.js'
import { bindBearerTransport } from '../transports/bearer/transport.js'
import { createCookie } from '../transports/cookie.js'
import type { EndEverything, Slots } from '../transports/slots.js'

/** What the bearer transport brings. */
interface BearerPart {
  readonly bearer: Bearer
  readonly transport: Transport
  readonly publicKeys: readonly PublicJwk[]
  /** False: the keys only verify. */
  readonly canIssue: boolean
}

/**
 * Null without a bearer transport.
 * @param slots of the families of refresh tokens
 */
export function composeBearer(
  options: ResolvedOptions,
  users: Users,
  store: SessionStore,
  slots: Slots,
  endEverything: EndEverything,
): BearerPart | null {
  const { bearer: settings, keys, identity } = options
  if (!settings) return null
  const { recovery } = identity
  const tokenKeys =
    settings.keys === undefined ? secretKeys(keys('access-token'), settings) : asymmetricKeys(settings.keys, settings)
  const tokens = createAccessTokens(tokenKeys, users, { ...settings, recovery })
  const rotation = createRotation({
    store,
    users,
    slots,
    endEverything,
    successorKeys: keys('refresh'),
    settings: { ...settings, waitMs: options.timeouts.redisMs },
  })
  const cookie = createCookie(settings.cookies.names.refresh, settings.cookies.policy, true)
  return {
    bearer: createBearer({ tokens, users, rotation, slots, settings, cookie }),
    transport: bindBearerTransport({ ...settings, tokens, users, recovery }),
    publicKeys: tokenKeys.publicKeys,
    canIssue: settings.canIssue,
  }
}
