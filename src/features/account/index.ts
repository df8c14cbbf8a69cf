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
        privilegedFields,
        signUp,
        principals,
        credentials,
        replaceCredential,
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
          privilegedFields,
          newAccount,
          signUp,
        }),
        registration,
        passwordChange: createPasswordChange({
          users,
          passwords,
          policy,
          emit,
          replaceCredential,
          passwordChanged: credentials.passwordChanged,
        }),
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
