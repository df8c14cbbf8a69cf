import type { FastifyRequest } from 'fastify'
import { AuthenticatedPrincipal } from '../core/principal/principal.js'
import { principalOf } from '../core/principal/request-principal.js'
import { FreshSignInRequiredError, SudoRequiredError, UnauthenticatedError } from '../errors.js'
import type { AnyGate } from '../ports/fastify.js'
import type { Principal } from '../ports/transport.js'
import { authenticate, setPrincipal, stateOf } from './authenticate.js'
import { createGate } from './gate.js'

const info = { optional: false, scopes: [], forbids: true }

async function requirePrincipal(request: FastifyRequest): Promise<Principal> {
  const principal = principalOf(request) ?? (await authenticate(request))
  if (!principal) throw new UnauthenticatedError()
  return principal
}

/**
 * A hook that lets only sessions in sudo mode pass (`app.crudAuth.sudo.elevate`). Anonymous
 * requests get 401, all others 403 `CRUDAUTH_SUDO_REQUIRED`.
 * @example
 * app.delete('/account', { preHandler: requireSudo }, handler)
 */
export const requireSudo: AnyGate = createGate('requireSudo', info, async (request) => {
  const principal = await requirePrincipal(request)
  // With sudo mode off, a session that was elevated before is refused, too.
  if (!stateOf(request).sudo || !AuthenticatedPrincipal.isElevated(principal))
    throw new SudoRequiredError()
  setPrincipal(request, principal)
})

/**
 * A hook for routes that add a lasting credential. Only users pass who signed in within
 * `freshSeconds` or are in sudo mode. Anonymous requests get 401, all others 403
 * `CRUDAUTH_FRESH_SIGN_IN_REQUIRED`.
 * @example
 * app.post('/api-keys', { preHandler: requireFresh }, handler)
 */
export const requireFresh: AnyGate = createGate('requireFresh', info, async (request) => {
  const principal = await requirePrincipal(request)
  if (!AuthenticatedPrincipal.isFresh(principal, stateOf(request).freshSeconds))
    throw new FreshSignInRequiredError()
  setPrincipal(request, principal)
})
