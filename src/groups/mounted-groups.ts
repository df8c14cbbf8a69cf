import type { CrudAuthOptions, RouteGroup } from '../core/options.js'
import { checkStrings, fail } from '../lib/option-checks.js'

const groups: readonly RouteGroup[] = ['account', 'session', 'management', 'bearer', 'email', 'oauth']

const session = 'sessionTransport() among the "transports"'
const bearer = 'bearerTransport() among the "transports"'
const email = '"email" or "channels", and a recovery factor in "identity"'
const privateKey = 'a "privateKey" among the "keys" of bearerTransport: public ones verify tokens and issue none'

/**
 * Groups to mount: all that the configuration brings, or those named.
 * @throws CRUDAUTH_CONFIG for a group that it cannot have
 */
export function resolveRoutes(
  value: CrudAuthOptions['routes'] = true,
  brought: {
    readonly session: { readonly managementRoutes: boolean } | null
    readonly bearer: { readonly canIssue: boolean } | null
    /** Whether there is something to send to a recovery factor with. */
    readonly email: boolean
    readonly oauth: boolean
  },
): ReadonlySet<RouteGroup> {
  const { session: sessions, bearer: tokens } = brought
  /** What each group lacks; null where it can be mounted. */
  const lacks: Readonly<Record<RouteGroup, string | null>> = {
    account: null,
    // With tokens alone there is still something to sign out of.
    session: sessions || tokens ? null : session,
    management: sessions ? null : session,
    bearer: tokens ? (tokens.canIssue ? null : privateKey) : bearer,
    email: brought.email ? null : email,
    oauth: brought.oauth ? null : '"oauth"',
  }
  if (value === false) return new Set()
  if (value === true) {
    return new Set(groups.filter((name) => lacks[name] === null && (name !== 'management' || sessions?.managementRoutes)))
  }
  const names = checkStrings('routes', value, []) as RouteGroup[]
  for (const name of names) {
    if (!groups.includes(name)) fail(`"routes" has no group "${name}"; the groups are ${groups.join(', ')}`)
    if (lacks[name] !== null) fail(`"routes" names "${name}", which needs ${lacks[name]}`)
  }
  return new Set(names)
}
