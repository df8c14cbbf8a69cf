import type { FastifyRequest } from 'fastify'
import type { RefreshCredential } from '../../core/credentials/credentials.js'
import { rowOf } from '../../core/principal/principal.js'
import { principalOf } from '../../core/principal/request-principal.js'
import type { Sessions } from '../../core/sessions/sessions.js'
import type { SignOut } from '../../core/sign-in/complete.js'
import type { Users } from '../../core/users/users.js'
import { UnauthenticatedError } from '../../errors.js'
import type { Emit } from '../../events.js'
import type { UserId } from '../../ports/user-store.js'

interface Dependencies {
  /** Null without a session transport. */
  readonly sessions: Sessions | null
  readonly carriers: readonly RefreshCredential[]
  readonly users: Users
  readonly emit: Emit
}

/**
 * Ends the session that a gate has authenticated and the families of the refresh tokens that the
 * request carries.
 */
export function createSignOut({ sessions, carriers, users, emit }: Dependencies): SignOut {
  /** Returns the owners of the families that were revoked. */
  const endFamilies = async (request: FastifyRequest): Promise<ReadonlySet<UserId>> => {
    const owners = await Promise.all(
      carriers.flatMap((carrier) =>
        carrier.carried(request).map((credential) => carrier.end(credential)),
      ),
    )
    return new Set(owners.filter((owner) => owner !== null))
  }

  return async (request, reply) => {
    const known = principalOf(request)
    const principal = known?.sessionId === undefined ? null : known
    const owners = await endFamilies(request)
    if (principal?.sessionId !== undefined)
      await sessions?.revoke(principal.userId, principal.sessionId)
    if (!principal && owners.size === 0) throw new UnauthenticatedError()
    // Clear only the cookies of what was ended: the browser may have a newer session by now.
    if (principal) sessions?.clearCookies(reply)
    if (owners.size > 0) for (const carrier of carriers) carrier.clear(reply)
    if (principal) await emit('onAfterLogout', { user: rowOf(principal) }, request)
    for (const owner of owners) {
      if (owner === principal?.userId) continue
      // The family is already revoked, so a failed lookup of its owner must not fail the sign-out.
      const user = await users.findById(owner).catch(() => null)
      if (user) await emit('onAfterLogout', { user }, request)
    }
    return { detail: 'Signed out' }
  }
}
