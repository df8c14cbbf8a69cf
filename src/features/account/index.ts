import type { Core } from '../../core/core.js'
import type { Feature } from '../../groups/feature.js'
import { createPasswordChange } from './change-password.js'
import { createRegister } from './register.js'
import { type AccountPart, accountRoutes } from './routes.js'

export { accountRoutes } from './routes.js'
export type { PasswordsToolbox } from './toolbox.js'

declare module '../../core/options.js' {
  interface RouteGroups {
    account: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    register: true
    change_password: true
  }
}

/** Changing the password keeps the caller's session and revokes everything else that rests on the credential. */
function passwordChangeOf({ users, passwords, policy, emit, credentials }: Core) {
  const { revocables, onPasswordChanged } = credentials
  return createPasswordChange({
    users,
    passwords,
    policy,
    emit,
    changed(user, request) {
      for (const tell of onPasswordChanged) tell(user, request)
    },
    async keepCaller(changed, caller) {
      for (const revocable of revocables) await revocable.announce?.(changed, caller)
    },
    async endOthers(user, caller, request) {
      const keep =
        caller.sessionId === undefined
          ? undefined
          : { handle: caller.sessionId, epoch: users.epochOf(user) }
      try {
        await Promise.all(revocables.map(({ revokeAll }) => revokeAll(caller.userId, keep)))
      } catch (error) {
        // The new epoch stands in the users' database, so all others have ended already.
        request.log.error(
          { err: error },
          'sessions could not be cleaned up after a password change',
        )
      }
    },
  })
}

/** Registration, `/me` and the passwords. */
export const account: Feature = {
  name: 'account',
  options: [],
  limits: {
    register: { max: 5, windowSeconds: 3600 },
    change_password: { max: 5, windowSeconds: 3600 },
  },
  routes: accountRoutes,
  configure: (_options, { registration }) => ({
    lacks: () => null,
    create(core, limits) {
      const {
        users,
        identity,
        passwords,
        policy,
        hooks,
        emit,
        newAccount,
        providerKeys,
        signUp,
        principals,
      } = core
      const { extraFields } = registration
      const part: AccountPart = {
        ...limits,
        users,
        recoveryField: core.settings.identity.recovery,
        register: createRegister({
          users,
          identity,
          passwords,
          policy,
          hooks,
          emit,
          extraFields,
          providerKeys,
          newAccount,
          signUp,
        }),
        registration,
        passwordChange: passwordChangeOf(core),
        signUp,
        principals,
      }
      const { hash, verify, isUsable, unusable } = passwords
      return {
        part,
        toolbox: { passwords: { hash, verify, isUsable, unusable, validate: policy } },
      }
    },
  }),
}
