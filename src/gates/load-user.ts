import type { FastifyRequest } from 'fastify'
import { AuthenticatedPrincipal, subjectOf } from '../core/principal/principal.js'
import { isCurrent } from '../core/users/epoch.js'
import type { Users } from '../core/users/users.js'
import { UnauthenticatedError } from '../errors.js'
import { setPrincipal } from './authenticate.js'

interface Dependencies {
  readonly users: Users
  /** Logical name of the recovery field, or null. */
  readonly recoveryField: string | null
}

/**
 * Builds a hook that loads the caller's row, for routes that need it. A principal from the claims
 * of a token doesn't have it.
 */
export function loadUser({
  users,
  recoveryField,
}: Dependencies): (request: FastifyRequest) => Promise<void> {
  return async function caller(request: FastifyRequest) {
    const { principal } = request
    if (AuthenticatedPrincipal.hasUser(principal)) return
    const user = await users.findById(principal.userId)
    const credential = AuthenticatedPrincipal.credentialOf(principal)
    if (!user || !users.isActive(user) || (credential && !isCurrent(users, user, credential)))
      throw new UnauthenticatedError()
    setPrincipal(
      request,
      AuthenticatedPrincipal.withUser(principal, subjectOf(users, recoveryField, user), user),
    )
  }
}
