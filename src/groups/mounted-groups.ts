import type { CrudAuthOptions, RouteGroup } from '../core/option-types.js'
import { checkStrings, fail } from '../lib/option-checks.js'
import type { ConfiguredFeature } from './feature.js'

/**
 * Resolves the groups to mount: those named, or by default all that the configuration allows.
 * @throws CRUDAUTH_CONFIG for an unknown group, or one whose needs aren't configured
 */
export function resolveRoutes(
  value: CrudAuthOptions['routes'] = true,
  features: ReadonlyMap<RouteGroup, ConfiguredFeature>,
): ReadonlySet<RouteGroup> {
  const all = [...features.values()]
  if (value === false) return new Set()
  if (value === true) {
    const brought = [...features].filter(
      ([, feature]) => feature.missing(all) === null && feature.isMountedByDefault !== false,
    )
    return new Set(brought.map(([name]) => name))
  }
  const names = checkStrings('routes', value, []) as RouteGroup[]
  for (const name of names) {
    const feature = features.get(name)
    if (!feature)
      fail(`"routes" has no group "${name}"; the groups are ${[...features.keys()].join(', ')}`)
    const missing = feature.missing(all)
    if (missing !== null) fail(`"routes" names "${name}", which needs ${missing}`)
  }
  return new Set(names)
}
