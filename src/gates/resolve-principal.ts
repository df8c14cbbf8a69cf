import type { FastifyRequest } from 'fastify'
import { UnavailableError } from '../errors.js'
import type { Principal, Transport, TransportToolbox } from '../ports/transport.js'

/**
 * Asks the transports in order, with no effect on the request or on what it carries: no CSRF token is asked for, no activity
 * is written back. Null for a credential that is absent, has ended or is invalid.
 * @throws UnavailableError (503) when who is asking cannot be found out
 */
export const createResolvePrincipal =
  (transports: readonly Transport[], toolbox: TransportToolbox) =>
  async (request: FastifyRequest): Promise<Principal | null> => {
    for (const transport of transports) {
      try {
        const principal = await (transport.resolve
          ? transport.resolve(request, toolbox)
          : transport.authenticate(request, toolbox))
        if (principal) return principal
      } catch (error) {
        if (error instanceof UnavailableError) throw error
        return null
      }
    }
    return null
  }
