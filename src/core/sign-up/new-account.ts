import type { FastifyRequest } from 'fastify'
import { ConfigError, InternalError } from '../../errors.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { UserValues } from '../../ports/user-store.js'
import type { Users } from '../users/users.js'
import { privilegedNames } from './registration-gate.js'

/** What `registration.fields` is told. */
export interface RegistrationContext {
  readonly source: 'register' | 'oauth'
  readonly request: FastifyRequest
  /** What comes from the client or the provider, after the allowlist and in canonical form. */
  readonly values: Readonly<Record<string, unknown>>
  /** Key of the provider, for `oauth`. */
  readonly provider?: string | undefined
  /** What the provider says, for `oauth`. */
  readonly profile?: OAuthProfile | undefined
}

/** Server-side part of new rows, resolved. */
interface NewAccountOptions {
  readonly defaults: Readonly<Record<string, unknown>>
  readonly fields?: ((context: RegistrationContext) => UserValues | Promise<UserValues>) | undefined
}

/** What new rows hold beside what their owner brings, on whatever way they are made. */
export interface NewAccount {
  /** The app's derived columns. @throws InternalError when they would set a privileged field */
  derive(context: RegistrationContext): Promise<UserValues>
  /** A whole row: constants first, flags at their start, then what is given, which wins. */
  row(values: UserValues): UserValues
}

/**
 * @param furtherPrivileged logical fields of features that are privileged
 * @throws ConfigError when `registration.defaults` names a privileged field
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

  /** A table whose flags have no default would otherwise start accounts at NULL. */
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
