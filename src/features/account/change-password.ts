import type { FastifyRequest } from 'fastify'
import type { ReplaceCredential } from '../../core/credentials/replace.js'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import { rowOf } from '../../core/principal/principal.js'
import type { Row, Users } from '../../core/users/users.js'
import {
  NoPasswordError,
  PasswordExistsError,
  UnauthenticatedError,
  WrongPasswordError,
} from '../../errors.js'
import type { Emit } from '../../events.js'
import type { Principal } from '../../ports/transport.js'

interface Dependencies {
  readonly users: Users
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly emit: Emit
  readonly replaceCredential: ReplaceCredential
  /** Notifies the user about the new password. Must not block. */
  readonly passwordChanged: (user: Row, request: FastifyRequest) => void
}

/**
 * Changes a password, or sets the first one. Both keep the caller's session and revoke every other
 * session and all tokens.
 */
export interface PasswordChange {
  /** @throws NoPasswordError; WrongPasswordError */
  change(
    principal: Principal,
    current: string,
    next: string,
    request: FastifyRequest,
  ): Promise<void>
  /** @throws PasswordExistsError */
  assertHasNone(principal: Principal): void
  /** @throws PasswordExistsError; UnauthenticatedError if the credential has ended meanwhile */
  set(principal: Principal, next: string, request: FastifyRequest): Promise<void>
}

export function createPasswordChange({
  users,
  passwords,
  policy,
  emit,
  replaceCredential,
  passwordChanged,
}: Dependencies): PasswordChange {
  const contextOf = (user: Row) => ({
    email: users.read(user, 'email') as string | null | undefined,
    username: users.read(user, 'username') as string | null | undefined,
  })

  const replace = async (
    principal: Principal,
    next: string,
    request: FastifyRequest,
    first: boolean,
  ): Promise<boolean> => {
    const hashedPassword = await passwords.hash(next)
    const changed = await replaceCredential(rowOf(principal), {
      request,
      // Setting a first password rests on the sign-in alone. If that is revoked meanwhile, the
      // write must fail.
      proof: first ? 'epoch' : 'password',
      values: () => ({ hashedPassword }),
      keep: principal,
      notify: (user) => passwordChanged(user, request),
      emit: (user) => emit('onAfterPasswordChanged', { user, first }, request),
    })
    return changed !== null
  }

  const assertHasNone = (principal: Principal) => {
    if (passwords.isUsable(users.hashOf(rowOf(principal)))) throw new PasswordExistsError()
  }

  return {
    async change(principal, current, next, request) {
      const hash = users.hashOf(rowOf(principal))
      if (!passwords.isUsable(hash)) throw new NoPasswordError()
      await policy(next, contextOf(rowOf(principal)))
      const { ok } = await passwords.check(hash, current)
      // After a lost race, the submitted password is no longer the current one.
      if (!ok || !(await replace(principal, next, request, false))) throw new WrongPasswordError()
    },

    assertHasNone,

    async set(principal, next, request) {
      assertHasNone(principal)
      await policy(next, contextOf(rowOf(principal)))
      if (await replace(principal, next, request, true)) return
      const now = await users.findById(principal.userId)
      throw now && passwords.isUsable(users.hashOf(now))
        ? new PasswordExistsError()
        : new UnauthenticatedError()
    },
  }
}
