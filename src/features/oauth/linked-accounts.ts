import type { SignInMethods } from '../../core/credentials/sign-in-methods.js'
import { storedTime } from '../../core/users/stored-time.js'
import type { Row, Users } from '../../core/users/users.js'
import type { OAuthProfile } from '../../ports/oauth-provider.js'
import type { UserValues } from '../../ports/user-store.js'

/** A linked provider account, as listed. */
export interface LinkedAccount {
  readonly provider: string
  readonly email: string | null
  readonly linkedAt: Date | null
}

/**
 * Storage of links between users and provider accounts: in columns of the users table, or in a
 * table of its own. Columns are written in one statement with the rest of the row.
 */
export interface LinkedAccounts extends Pick<SignInMethods, 'cleared' | 'detachAll'> {
  /** Fields of the users table with provider ids; empty if links have a table of their own. */
  readonly fields: readonly string[]
  find(provider: string, subject: string): Promise<Row | null>
  list(user: Row): Promise<LinkedAccount[]>
  /** Whether the user is linked to any account at the provider. */
  isLinked(user: Row, provider: string): Promise<boolean>
  /** Values of a link in the user's row. `alone` also clears all other links. */
  valuesFor(provider: string, subject: string, alone: boolean): UserValues
  /**
   * Stores what isn't in the row, after the row was written. False if another user has the provider
   * account by now, or the credential has changed.
   */
  attach(user: Row, provider: string, profile: OAuthProfile): Promise<boolean>
  /**
   * Removes the user's present link to the provider, whatever account it leads to, even if it is
   * the last sign-in method.
   */
  remove(user: Row, provider: string): Promise<void>
  /**
   * Removes a link, unless it is the last sign-in method.
   * @param hasOtherWay whether the user can sign in without any link
   */
  detach(
    user: Row,
    provider: string,
    hasOtherWay: (row: Row) => boolean,
  ): Promise<Detached | 'absent' | 'last'>
}

/** A link that was removed. */
interface Detached {
  /** Adds it again, if nothing else has taken its place. */
  undo(): Promise<void>
}

export const providerField = (provider: string): string => `${provider}Id`

const maxAttempts = 5

/**
 * Links in the `<provider>Id` columns of the users table.
 * @param cleared every such column of the user model as null, including those of providers that are
 * no longer configured
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
      // A case-insensitive collation must not match the id of another account.
      return user && idOf(user, provider) === subject ? user : null
    },
    async list(user) {
      return linked(user).map((provider) => {
        const isNewest = users.read(user, 'oauthProvider') === provider
        const time = isNewest
          ? (users.read(user, 'oauthUpdatedAt') ?? users.read(user, 'oauthCreatedAt'))
          : null
        const linkedAtMs = storedTime(time)
        return {
          provider,
          email: null,
          linkedAt: Number.isNaN(linkedAtMs) ? null : new Date(linkedAtMs),
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
    async remove(user, provider) {
      const field = providerField(provider)
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        // The caller's row may be older than the link.
        const row = await users.findById(users.idOf(user))
        if (!row || !users.isActive(row) || idOf(row, provider) === null) return
        const expected = {
          [field]: users.read(row, field),
          ...(users.has('isActive') && { isActive: users.read(row, 'isActive') }),
        }
        if (await users.compareAndSet(users.idOf(user), expected, { [field]: null })) return
      }
    },
    async detach(user, provider, hasOtherWay) {
      let row: Row | null = user
      for (let attempt = 0; attempt < maxAttempts && row; attempt++) {
        if (idOf(row, provider) === null) return 'absent'
        if (linked(row).length < 2 && !hasOtherWay(row)) return 'last'
        // The account was recovered in the meantime: its links are the new owner's.
        if (users.epochOf(row) !== users.epochOf(user)) return 'absent'
        // The compare-and-set covers all links, so that two concurrent removals can't remove the
        // last two. It covers the password too, which may be the only other way to sign in.
        const expected = Object.fromEntries(
          fields.map((field) => [field, users.read(row as Row, field) ?? null]),
        )
        const { hashedPassword } = users.credentialOf(row)
        const values = { [providerField(provider)]: null }
        if (await users.compareAndSet(users.idOf(row), { ...expected, hashedPassword }, values)) {
          const field = providerField(provider)
          const previous = { [field]: users.read(row, field) }
          return {
            undo: async () => void (await users.compareAndSet(users.idOf(user), values, previous)),
          }
        }
        row = await users.findById(users.idOf(row))
      }
      return 'absent'
    },
  }
}
