import type { FastifyRequest } from 'fastify'
import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'
import type { Row, Users } from '../../core/users/users.js'
import { BadRequestError, UnauthenticatedError, WrongPasswordError } from '../../errors.js'
import type { Emit } from '../../events.js'
import type { Principal } from '../../ports/transport.js'

interface Services {
  readonly users: Users
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly emit: Emit
  /** Tells the user of a new password. Must not wait. */
  readonly changed: (user: Row, request: FastifyRequest) => void
  /** Lets the caller's session stand under the epoch that is about to be, so that it never ends in between. */
  readonly keepCaller: (changed: Row, caller: Principal) => Promise<void>
  /** Ends what stands under the old epoch, but the caller's session, which moves to the new one. */
  readonly endOthers: (user: Row, caller: Principal, request: FastifyRequest) => Promise<void>
}

/** Changing the password, and setting a first one. */
export interface PasswordChange {
  /** @throws BadRequestError when the account has no password; WrongPasswordError */
  change(
    principal: Principal,
    current: string,
    next: string,
    request: FastifyRequest,
  ): Promise<void>
  /** @throws BadRequestError when the account has a password; UnauthenticatedError when the credential ended meanwhile */
  set(principal: Principal, next: string, request: FastifyRequest): Promise<void>
}

const maxAttempts = 5

export function createPasswordChange({
  users,
  passwords,
  policy,
  emit,
  changed: tell,
  keepCaller,
  endOthers,
}: Services): PasswordChange {
  const contextOf = (user: Row) => ({
    email: users.read(user, 'email') as string | null | undefined,
    username: users.read(user, 'username') as string | null | undefined,
  })

  /** One statement decides: the new hash and the new epoch are written together, or not at all. */
  const replace = async (
    principal: Principal,
    next: string,
    request: FastifyRequest,
    first: boolean,
  ): Promise<boolean> => {
    const hashedPassword = await passwords.hash(next)
    const stored = users.hashOf(principal.user)
    let user: Row | null = principal.user
    // Of a first password nothing but the sign-in has been proved, so whatever moves the version on ends that as well.
    const most = first ? 1 : maxAttempts
    for (
      let attempt = 0;
      user && users.isActive(user) && users.hashOf(user) === stored && attempt < most;
      attempt++
    ) {
      const values = {
        hashedPassword,
        ...(users.has('tokenVersion') && { tokenVersion: users.versionOf(user) + 1 }),
      }
      const changed = users.changed(user, values)
      await keepCaller(changed, principal)
      if (await users.compareAndSet(principal.userId, users.credentialOf(user), values)) {
        await endOthers(changed, principal, request)
        // Before the hook, which may take its time.
        tell(changed, request)
        await emit('onAfterPasswordChanged', { user: changed, first }, request)
        return true
      }
      // The version has moved on alone (everything was signed out, say): the password given is still the current one.
      user = await users.findById(principal.userId)
    }
    return false
  }

  return {
    async change(principal, current, next, request) {
      const hash = users.hashOf(principal.user)
      if (!passwords.isUsable(hash))
        throw new BadRequestError('The account has no password yet; set one first')
      await policy(next, contextOf(principal.user))
      const { ok } = await passwords.check(hash, current)
      // A lost race means that the password given is the current one no more.
      if (!ok || !(await replace(principal, next, request, false))) throw new WrongPasswordError()
    },

    async set(principal, next, request) {
      const has = () => new BadRequestError('The account has a password already; change it instead')
      if (passwords.isUsable(users.hashOf(principal.user))) throw has()
      await policy(next, contextOf(principal.user))
      if (await replace(principal, next, request, true)) return
      const now = await users.findById(principal.userId)
      throw now && passwords.isUsable(users.hashOf(now)) ? has() : new UnauthenticatedError()
    },
  }
}
