import type { FastifyInstance } from 'fastify'
import { fail } from '../lib/option-checks.js'

const kParts = Symbol('crudauth.parts')

type Parts = Readonly<Record<string, object | null>>

/** Decorates the app with the services that the routes of each feature call. */
export function decorateParts(app: FastifyInstance, parts: Parts): void {
  app.decorate(kParts as unknown as string, parts)
}

/**
 * The services of a feature, for its routes.
 * @param needs message for a feature that is off: what to configure
 * @throws CRUDAUTH_CONFIG if the plugin is not registered above the group, or the feature is off
 */
export function partOf<Part>(app: FastifyInstance, name: string, needs: string): Part {
  const parts = (app as unknown as { [kParts]?: Parts })[kParts]
  if (!parts) fail('Register crudAuth before its route groups, on the same instance or a parent')
  return (parts[name] ?? fail(needs)) as Part
}
