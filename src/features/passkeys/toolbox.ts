import type { FastifyRequest } from 'fastify'
import { AuthenticatedPrincipal } from '../../core/principal/principal.js'
import { principalOf } from '../../core/principal/request-principal.js'
import type { PasskeyFactor, PasskeyRequest } from '../../core/sign-in/passkey-factor.js'
import type { Users } from '../../core/users/users.js'
import { SudoRequiredError, UnauthenticatedError } from '../../errors.js'
import { fail } from '../../lib/option-checks.js'
import type { AnyRequest, RegisteredUser } from '../../ports/fastify.js'
import type { PasskeyInfo } from '../../ports/passkey-store.js'
import { passkeyInfo } from './events.js'
import type { PasskeyManagement } from './management.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /** Passkeys. */
    readonly passkeys: PasskeysToolbox
  }
}

/**
 * Passkeys: `app.crudAuth.passkeys`. Pass users as rows or as `principal.user`. Methods throw
 * CRUDAUTH_CONFIG if `passkeys` isn't configured, and CRUDAUTH_UNAVAILABLE (503) in an outage.
 */
export interface PasskeysToolbox {
  /** The passkeys of the account, oldest first. */
  list(user: RegisteredUser): Promise<PasskeyInfo[]>
  /**
   * Removes a passkey, even the last way to sign in. False if the account has no such passkey.
   * @param id from `list`
   */
  revoke(user: RegisteredUser, id: string): Promise<boolean>
  /** Removes all passkeys of the account. Returns how many. */
  revokeAll(user: RegisteredUser): Promise<number>
  /**
   * Options to enter sudo mode with a passkey of the request's user. Send what the client gets for
   * them to your route that calls `app.crudAuth.sudo.elevate(request, { passkey })`.
   * @throws CRUDAUTH_UNAUTHENTICATED (401); CRUDAUTH_SUDO_REQUIRED (403) for credentials other than
   * a session, and for an account without passkeys
   * @example
   * app.post('/sudo/options', { preHandler: app.currentUser() }, (request) =>
   *   app.crudAuth.passkeys.sudoOptions(request))
   */
  sudoOptions(request: AnyRequest): Promise<PasskeyRequest>
}

interface Dependencies {
  readonly users: Users
  readonly management: PasskeyManagement
  readonly factor: PasskeyFactor
}

/** @param services null if `passkeys` isn't configured */
export function createPasskeysToolbox(services: Dependencies | null): PasskeysToolbox {
  const need = (): Dependencies =>
    services ?? fail('"app.crudAuth.passkeys" needs the option "passkeys"')
  /** Reads the row again: the caller's may be outdated, or lack the columns. */
  const rowOf = (user: RegisteredUser) => need().users.presentRow(user)

  return {
    list: async (user) => (await need().management.list(await rowOf(user))).map(passkeyInfo),
    revoke: async (user, id) => need().management.revoke(await rowOf(user), id),
    revokeAll: async (user) => need().management.revokeAll(await rowOf(user)),
    async sudoOptions(request) {
      const { factor } = need()
      const principal = principalOf(request)
      if (!principal) throw new UnauthenticatedError()
      const session = AuthenticatedPrincipal.sessionOf(principal)
      if (!session) throw new SudoRequiredError()
      const user = AuthenticatedPrincipal.rowOf(principal)
      const purpose = { name: 'sudo', of: session.record.handle } as const
      const begun = await factor.begin(request as FastifyRequest, user, purpose)
      if (!begun) throw new SudoRequiredError()
      return begun
    },
  }
}
