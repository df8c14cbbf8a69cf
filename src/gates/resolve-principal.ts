import type { FastifyRequest } from 'fastify'
import { UnavailableError } from '../errors.js'
import type { Principal, Transport, TransportToolbox } from '../ports/transport.js'

/**
 * Asks the transports in order, without side effects on the request or its credential: it requires
 * no CSRF token and records no activity. Returns null if the credential is absent, has ended or is
 * invalid.
 * @throws UnavailableError (503) if the credential can't be checked
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
