import type { CrudAuthOptions } from '../core/option-types.js'
import { resolveCoreOptions } from '../core/options.js'
import type { Feature } from './feature.js'
import { resolveRoutes } from './mounted-groups.js'

/**
 * Checks all options of the core and of the features, before anything is created.
 * @param outerPrefix prefix of the instance that the plugin is registered on
 * @throws CRUDAUTH_CONFIG with what to change
 */
export function resolveOptions(
  features: readonly Feature[],
  options: CrudAuthOptions,
  outerPrefix: string,
) {
  const settings = resolveCoreOptions(options, outerPrefix, {
    options: features.flatMap((feature) => feature.options),
    limits: Object.assign({}, ...features.map(({ limits }) => limits)) as Feature['limits'],
  })
  const configured = new Map(
    features.map((feature) => [feature.name, feature.configure(options, settings)]),
  )
  return { settings, configured, mounted: resolveRoutes(options.routes, configured) }
}
