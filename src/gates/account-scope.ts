import { principalOf } from '../core/principal/request-principal.js'
import { InsufficientScopeError } from '../errors.js'
import type { AnyGate } from '../ports/fastify.js'
import { stateOf } from './authenticate.js'
import { createGate } from './gate.js'

const info = { optional: false, scopes: ['account'], forbids: true }

/**
 * A hook for routes that change a credential or manage sessions. If the app grants the scope
 * `account`, a bearer token needs it: a token for one purpose must not allow account takeover.
 */
export const accountScope: AnyGate = createGate('accountScope', info, async (request) => {
  const principal = principalOf(request)
  if (principal?.transport !== 'bearer' || !stateOf(request).accountScope) return
  if (!principal.hasScopes('account')) throw new InsufficientScopeError()
})
