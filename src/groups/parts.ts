import type { FastifyInstance } from 'fastify'
import { fail } from '../lib/option-checks.js'

const kParts = Symbol('crudauth.parts')

type Parts = Readonly<Record<string, object | null>>

/** Gives each feature's routes what they call. */
export function decorateParts(app: FastifyInstance, parts: Parts): void {
  app.decorate(kParts as unknown as string, parts)
}

/**
 * What a feature has put on the app for its routes.
 * @param needs what to configure where the feature is off
 * @throws CRUDAUTH_CONFIG when the plugin is not registered above the group, or the feature is off
 */
export function partOf<Part>(app: FastifyInstance, name: string, needs: string): Part {
  const parts = (app as unknown as { [kParts]?: Parts })[kParts]
  if (!parts) fail('Register crudAuth before its route groups, on the same instance or a parent')
  return (parts[name] ?? fail(needs)) as Part
}
