import type { EndEverything, Slots } from '../../core/credentials/user-records.js'
import type { ResolvedOptions } from '../../core/options.js'
import type { Users } from '../../core/users/users.js'
import { createCookie } from '../../http/cookies.js'
import type { SessionStore } from '../../ports/session-store.js'
import type { BoundTransport } from '../../ports/transport.js'
import { createAccessTokens } from './access-tokens.js'
import { createRotation } from './refresh-rotation.js'
import type { PublicJwk } from './signing-keys.js'
import { type Bearer, createBearer } from './tokens.js'
import { bindBearerTransport } from './transport.js'

/** What the bearer transport brings. */
interface BearerPart {
  readonly bearer: Bearer
  readonly transport: BoundTransport
  readonly publicKeys: readonly PublicJwk[]
  /** False: the keys only verify. */
  readonly canIssue: boolean
  /** Whether principals bring no row. */
  readonly statelessUser: boolean
}

/**
 * Null without a bearer transport.
 * @param slots of the families of refresh tokens
 */
export async function composeBearer(
  options: ResolvedOptions,
  users: Users,
  store: SessionStore,
  slots: Slots,
  endEverything: EndEverything,
): Promise<BearerPart | null> {
  const { bearer: settings, keys, identity } = options
  if (!settings) return null
  const { recovery } = identity
  // Loaded where tokens are used: fast-jwt is a tenth of what the package takes to import.
  const { asymmetricKeys, secretKeys } = await import('./signing-keys.js')
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
    statelessUser: settings.statelessUser,
  }
}
