import type { FastifyRequest } from 'fastify'
import { UnauthenticatedError } from '../../errors.js'
import type { Principal } from '../../ports/transport.js'
import type { Passwords } from '../passwords/passwords.js'
import { AuthenticatedPrincipal, rowOf } from '../principal/principal.js'
import { principalOf } from '../principal/request-principal.js'
import { isCurrent } from '../users/epoch.js'
import type { Row, Users } from '../users/users.js'
import type { Credentials } from './credentials.js'
import type { ReplaceCredential } from './replace.js'

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly credentials: Credentials
  readonly replaceCredential: ReplaceCredential
}

/**
 * Ends every way to sign in to the account of the request's principal: sessions, tokens, links,
 * one-time values, the password. Deleting the row is up to the app.
 * @throws UnauthenticatedError if there is no principal, or its credential has changed since
 */
export type DeleteAccount = (request: FastifyRequest) => Promise<void>

export function createDeleteAccount({
  users,
  passwords,
  credentials,
  replaceCredential,
}: Dependencies): DeleteAccount {
  const { allMethods, deletedListeners: onDeleted } = credentials

  /**
   * The principal's row. Null if a token that was accepted without reading the row is no longer
   * valid.
   */
  const rowBehind = async (principal: Principal): Promise<Row | null> => {
    if (AuthenticatedPrincipal.hasUser(principal)) return users.wholeRow(rowOf(principal))
    const row = await users.findById(principal.userId)
    const credential = AuthenticatedPrincipal.credentialOf(principal)
    return row && (!credential || isCurrent(users, row, credential)) ? row : null
  }

  return async (request) => {
    const principal = principalOf(request)
    if (!principal) throw new UnauthenticatedError()
    const user = await rowBehind(principal)
    if (!user) throw new UnauthenticatedError()
    const changed = await replaceCredential(user, {
      request,
      values: () => ({
        hashedPassword: passwords.unusable(),
        ...allMethods.cleared,
        ...allMethods.clearedFactors,
      }),
      removeMethods: { before: true, factors: true, retry: null },
    })
    if (!changed) throw new UnauthenticatedError()
    for (const forget of onDeleted) await forget(changed)
  }
}
