import { checkStrings, fail } from '../checks.js'
import type { CrudAuthOptions, RouteGroup } from './types.js'

const groups: readonly RouteGroup[] = ['account', 'session', 'management', 'bearer']

const session = 'sessionTransport() among the "transports"'
const bearer = 'bearerTransport() among the "transports"'
const privateKey = 'a "privateKey" among the "keys" of bearerTransport: public ones verify tokens and issue none'

/**
 * Groups to mount: all that the transports bring, or those named.
 * @throws CRUDAUTH_CONFIG for a group that the transports cannot have
 */
export function resolveRoutes(
  value: CrudAuthOptions['routes'] = true,
  sessions: { readonly managementRoutes: boolean } | null,
  tokens: { readonly canIssue: boolean } | null,
): ReadonlySet<RouteGroup> {
  /** What each group lacks; null where it can be mounted. */
  const lacks: Readonly<Record<RouteGroup, string | null>> = {
    account: null,
    // With tokens alone there is still something to sign out of.
    session: sessions || tokens ? null : session,
    management: sessions ? null : session,
    bearer: tokens ? (tokens.canIssue ? null : privateKey) : bearer,
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
