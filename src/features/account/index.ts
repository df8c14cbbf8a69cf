import { createNameClaims } from '../../core/sign-up/name-claims.js'
import { meView } from '../../core/users/account-view.js'
import type { Feature } from '../../groups/feature.js'
import { createPasswordChange } from './change-password.js'
import { type AccountOptions, resolveAccount } from './options.js'
import { createRegister } from './register.js'
import { type AccountServices, accountRoutes } from './routes.js'

export type { AccountOptions } from './options.js'
export { accountRoutes } from './routes.js'
export type { PasswordsToolbox } from './toolbox.js'

declare module '../../core/option-types.js' {
  interface CrudAuthOptions {
    /** What `GET /me` returns. */
    readonly account?: AccountOptions | undefined
  }

  interface RouteGroups {
    account: true
  }
}

declare module '../../core/rate-limits.js' {
  interface LimitedActions {
    /**
     * Registrations, by IP address. Counts requests that passed validation and the password rules.
     * @defaultValue 20 per 3600 s
     */
    register: true
    /**
     * Password changes, by session, successful ones included. All sessions of a user together may
     * use ten times as many.
     * @defaultValue 5 per 3600 s
     */
    change_password: true
  }
}

/** Registration, `/me`, setting and changing the password. */
export const account: Feature = {
  name: 'account',
  options: ['account'],
  limits: {
    register: { max: 20, windowSeconds: 3600 },
    change_password: { max: 5, windowSeconds: 3600 },
  },
  routes: accountRoutes,
  configure(options, { registration }) {
    const publicFields = resolveAccount(options.account, options.users.fields)
    return {
      missing: () => null,
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
          credentials,
          replaceCredential,
        } = core
        const { extraFields } = registration
        const services: AccountServices = {
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
            claimNames: createNameClaims(
              core.state.counters,
              core.counterKey,
              identity.login,
              // A claim covers two lookups and one write.
              3 * core.settings.timeouts.usersMs,
            ),
            signUp,
          }),
          registration,
          passwordChange: createPasswordChange({
            users,
            passwords,
            policy,
            emit,
            replaceCredential,
            passwordChanged: credentials.notifyPasswordChanged,
          }),
          signUp,
          me: (principal) => meView(users, publicFields, principal, passwords.isUsable),
          publicSchemas: Object.fromEntries(publicFields.map(({ name }) => [name, {}])),
        }
        const { hash, verify, isUsable, unusable } = passwords
        return {
          services,
          toolbox: { passwords: { hash, verify, isUsable, unusable, validate: policy } },
        }
      },
    }
  },
}
