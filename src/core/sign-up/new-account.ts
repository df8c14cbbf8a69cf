import type { FastifyRequest } from 'fastify'
import { ConfigError, InternalError } from '../../errors.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { UserValues } from '../../ports/user-store.js'
import type { Users } from '../users/users.js'
import { privilegedNames } from './registration-gate.js'

/** What `registration.fields` receives. */
export interface RegistrationContext {
  readonly source: 'register' | 'oauth'
  readonly request: FastifyRequest
  /** Values from the client or the provider, after the allowlist and in canonical form. */
  readonly values: Readonly<Record<string, unknown>>
  /** Key of the provider, for `oauth`. */
  readonly provider?: string | undefined
  /** The provider's profile of the user, for `oauth`. */
  readonly profile?: OAuthProfile | undefined
}

/** Resolved options for the values that the server sets in new rows. */
interface NewAccountOptions {
  readonly defaults: Readonly<Record<string, unknown>>
  readonly fields?: ((context: RegistrationContext) => UserValues | Promise<UserValues>) | undefined
}

/** Values that the server sets in new rows, for every kind of sign-up. */
export interface NewAccount {
  /**
   * Values computed by the app's `registration.fields`.
   * @throws InternalError if they would set a privileged field
   */
  derive(context: RegistrationContext): Promise<UserValues>
  /** A whole row: the constants, then the initial flags, then `values`. Later ones win. */
  row(values: UserValues): UserValues
}

/**
 * @param furtherPrivileged privileged logical fields of the features
 * @throws ConfigError if `registration.defaults` names a privileged field
 */
export function createNewAccount(
  users: Users,
  options: NewAccountOptions,
  furtherPrivileged: readonly string[],
): NewAccount {
  const isPrivileged = privilegedNames(users.store.fields, furtherPrivileged)
  const refusePrivileged = (values: UserValues, option: string, Failure: typeof ConfigError) => {
    for (const name of Object.keys(values)) {
      if (isPrivileged(name))
        throw new Failure(`"${option}" may not set the privileged field "${name}"; remove it`)
    }
  }
  refusePrivileged(options.defaults, 'registration.defaults', ConfigError)

  /**
   * Initial flags. Without them a table whose flags have no default would start accounts with NULL.
   */
  const initial: UserValues = {}
  const starting = { isActive: true, isSuperuser: false, tokenVersion: 0 }
  for (const [field, value] of Object.entries(starting))
    if (users.has(field)) initial[field] = value
  for (const field of Object.keys(users.store.fields.columns))
    if (field.endsWith('Verified')) initial[field] = false

  return {
    async derive(context) {
      const derived = (await options.fields?.(context)) ?? {}
      refusePrivileged(derived, 'registration.fields', InternalError)
      return derived
    },
    row: (values) => ({ ...options.defaults, ...initial, ...values }),
  }
}
