import type { FastifyInstance } from 'fastify'
import { fail } from '../lib/option-checks.js'

const kServices = Symbol('crudauth.services')

type FeatureServices = Readonly<Record<string, object | null>>

/** Decorates the app with the services that the routes of each feature call. */
export function decorateServices(app: FastifyInstance, services: FeatureServices): void {
  app.decorate(kServices as unknown as string, services)
}

/**
 * The services of a feature, for its routes.
 * @param needs message for a feature that is off: what to configure
 * @throws CRUDAUTH_CONFIG if the plugin is not registered above the group, or the feature is off
 */
export function servicesOf<Services>(app: FastifyInstance, name: string, needs: string): Services {
  const services = (app as unknown as { [kServices]?: FeatureServices })[kServices]
  if (!services) fail('Register crudAuth before its route groups, on the same instance or a parent')
  return (services[name] ?? fail(needs)) as Services
}
