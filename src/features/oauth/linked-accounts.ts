import type { SignInMethods } from '../../core/credentials/sign-in-methods.js'
import type { Row, Users } from '../../core/users/users.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { UserValues } from '../../ports/user-store.js'

/** A linked account, as lists tell of it. */
export interface LinkedAccount {
  readonly provider: string
  readonly email: string | null
  readonly linkedAt: Date | null
}

/**
 * Where it is kept which account at a provider is whose: in columns of the users table, or in a table of its own. What goes
 * into columns is written together with whatever else is written.
 */
export interface LinkedAccounts extends Omit<SignInMethods, 'detachRecent' | 'undoable'> {
  /** Fields of the users table that hold ids of accounts; none with a table of their own. */
  readonly fields: readonly string[]
  find(provider: string, subject: string): Promise<Row | null>
  list(user: Row): Promise<LinkedAccount[]>
  /** Whether the user is linked to an account there, whichever it is. */
  isLinked(user: Row, provider: string): Promise<boolean>
  /** What a link puts into the row; `alone` takes every other one out. */
  valuesFor(provider: string, subject: string, alone: boolean): UserValues
  /** Does what is not in the row, after it was written. False when another user has the account by now, or the row has moved on. */
  attach(user: Row, provider: string, profile: OAuthProfile): Promise<boolean>
  /** Takes away the one link to that very account, whatever else lets the user in. Returns whether it was there. */
  remove(user: Row, provider: string, subject: string): Promise<boolean>
  /** @param hasOtherWay whether the row lets its user in without any link; else the only one is not taken away */
  detach(
    user: Row,
    provider: string,
    hasOtherWay: (row: Row) => boolean,
  ): Promise<'removed' | 'absent' | 'last'>
}

export const providerField = (provider: string): string => `${provider}Id`

const maxAttempts = 5

/**
 * Links in the `<provider>Id` columns of the users table.
 * @param cleared every such column that the model has, of providers that are no longer configured too
 */
export function linkedAccountsInColumns(
  users: Users,
  providers: readonly string[],
  cleared: UserValues,
): LinkedAccounts {
  const fields = providers.map(providerField)
  const idOf = (user: Row, provider: string): string | null => {
    const value = users.read(user, providerField(provider))
    return value === null || value === undefined || value === '' ? null : String(value)
  }
  const linked = (user: Row) => providers.filter((provider) => idOf(user, provider) !== null)
  const known = (values: UserValues) =>
    Object.fromEntries(Object.entries(values).filter(([field]) => users.has(field)))

  return {
    fields,
    cleared,
    async find(provider, subject) {
      const user = await users.findBy(providerField(provider), subject)
      // A collation that folds case must not make two accounts one.
      return user && idOf(user, provider) === subject ? user : null
    },
    async list(user) {
      return linked(user).map((provider) => {
        const isNewest = users.read(user, 'oauthProvider') === provider
        const time = isNewest
          ? (users.read(user, 'oauthUpdatedAt') ?? users.read(user, 'oauthCreatedAt'))
          : null
        const linkedAt =
          time === null || time === undefined ? null : new Date(time as string | number | Date)
        return {
          provider,
          email: null,
          linkedAt: linkedAt && !Number.isNaN(linkedAt.getTime()) ? linkedAt : null,
        }
      })
    },
    isLinked: async (user, provider) => idOf(user, provider) !== null,
    valuesFor(provider, subject, alone) {
      return known({
        ...(alone && cleared),
        [providerField(provider)]: subject,
        oauthProvider: provider,
        oauthUpdatedAt: new Date(),
      })
    },
    attach: async () => true,
    detachAll: async () => {},
    remove: (user, provider, subject) =>
      users.compareAndSet(
        users.idOf(user),
        { [providerField(provider)]: subject },
        { [providerField(provider)]: null },
      ),
    async detach(user, provider, hasOtherWay) {
      let row: Row | null = user
      for (let attempt = 0; attempt < maxAttempts && row; attempt++) {
        if (idOf(row, provider) === null) return 'absent'
        if (linked(row).length < 2 && !hasOtherWay(row)) return 'last'
        // All of them are expected as they are, so that two removals at once never take the last two; so is the password,
        // which may be what lets the last one go.
        const held = Object.fromEntries(
          fields.map((field) => [field, users.read(row as Row, field) ?? null]),
        )
        const { hashedPassword } = users.credentialOf(row)
        const values = { [providerField(provider)]: null }
        if (await users.compareAndSet(users.idOf(row), { ...held, hashedPassword }, values))
          return 'removed'
        row = await users.findById(users.idOf(row))
      }
      return 'absent'
    },
  }
}
