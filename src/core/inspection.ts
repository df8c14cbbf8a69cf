import type { FastifyInstance } from 'fastify'
import type { CrudAuthOptions } from './option-types.js'

/**
 * Where `fastify-crudauth doctor` waits for the registrations in its process. A global symbol,
 * because the app may load another copy of this package.
 */
export const kDoctor = Symbol.for('fastify-crudauth.doctor')

export type Doctor = (app: FastifyInstance, options: CrudAuthOptions) => void

/** Shows a registration to the command line `doctor`, if it runs in this process. */
export function showToDoctor(app: FastifyInstance, options: CrudAuthOptions): void {
  const doctor = (globalThis as { [kDoctor]?: Doctor })[kDoctor]
  if (typeof doctor === 'function') doctor(app, options)
}
