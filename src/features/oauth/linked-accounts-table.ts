import { storedTime } from '../../core/users/stored-time.js'
import type { Users } from '../../core/users/users.js'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { OAuthAccountStore } from '../../ports/oauth-account-store.js'
import type { UserValues } from '../../ports/user-store.js'
import type { LinkedAccounts } from './linked-accounts.js'

interface TableLinksOptions {
  /** How long the table may take before the request gets its 503. */
  readonly milliseconds: number
  /** Keys of the configured providers. Links to others can't be used to sign in. */
  readonly providers: readonly string[]
  /** See `SignInMethods`. */
  readonly cleared: UserValues
}

/** Tolerated clock skew between the app and its database. */
const clockToleranceMs = 60_000

/** Stores links in a table of the app. */
export function linkedAccountsInTable(
  users: Users,
  store: OAuthAccountStore,
  { milliseconds, providers, cleared }: TableLinksOptions,
): LinkedAccounts {
  const deadline = createDeadline(milliseconds)
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    withDeadline(deadline, call, 'The store of OAuth accounts', unavailableError)

  return {
    fields: [],
    cleared,
    async find(provider, subject) {
      const account = await bounded(() => store.find(provider, subject))
      if (!account || account.provider !== provider || account.subject !== subject) return null
      const user = await users.findById(account.userId)
      // The user was deleted, and another one may have the id now: the link must not sign in to
      // that account.
      const isOlder =
        user !== null &&
        storedTime(account.linkedAt) + clockToleranceMs < storedTime(users.read(user, 'createdAt'))
      if (user && !isOlder) return user
      await bounded(() => store.remove(account.userId, provider, false))
      return null
    },
    async list(user) {
      const accounts = await bounded(() => store.list(users.idOf(user)))
      return accounts.map(({ provider, email, linkedAt }) => ({ provider, email, linkedAt }))
    },
    async isLinked(user, provider) {
      const accounts = await bounded(() => store.list(users.idOf(user)))
      return accounts.some((account) => account.provider === provider)
    },
    valuesFor: (_provider, _subject, alone) => (alone ? cleared : {}),
    async attach(user, provider, { id: subject, email }) {
      const userId = users.idOf(user)
      if (
        await bounded(() => store.add({ provider, subject, userId, email, linkedAt: new Date() }))
      ) {
        // Row and table aren't written atomically. If the credential was replaced in the meantime,
        // links were already removed from the table, and this one would survive.
        const now = await users.findById(userId)
        if (now && users.epochOf(now) === users.epochOf(user)) return true
        // Only if it is this link: the owner may have linked the provider in the meantime.
        if (await bounded(() => store.find(provider, subject)))
          await bounded(() => store.remove(userId, provider, false))
        return false
      }
      const holder = await bounded(() => store.find(provider, subject))
      return holder !== null && holder.userId === userId
    },
    async detachAll(user) {
      const userId = users.idOf(user)
      for (const { provider } of await bounded(() => store.list(userId)))
        await bounded(() => store.remove(userId, provider, false))
    },
    async remove(user, provider) {
      await bounded(() => store.remove(users.idOf(user), provider, false))
    },
    async detach(user, provider, hasOtherWay) {
      const userId = users.idOf(user)
      const accounts = await bounded(() => store.list(userId))
      // Read after the list: after a credential change the caller must not remove the new owner's
      // links.
      const row = await users.findById(userId)
      if (!row || users.epochOf(row) !== users.epochOf(user)) return 'absent'
      if (!accounts.some((account) => account.provider === provider)) return 'absent'
      const others = accounts.filter(
        (account) => account.provider !== provider && providers.includes(account.provider),
      )
      if (others.length === 0 && !hasOtherWay(row)) return 'last'
      const isLeftover = (account: { provider: string }) => !providers.includes(account.provider)
      const own = accounts.find((account) => account.provider === provider)
      const undo = async () => {
        if (own) await bounded(() => store.add(own))
      }
      const removed = await bounded(() => store.remove(userId, provider, !hasOtherWay(row)))
      if (removed !== 'removed') return removed
      if (hasOtherWay(row) || !accounts.some(isLeftover)) return { undo }
      // The store also counts links to providers that are no longer configured, which can't be used
      // to sign in. In a race of two removals, the one that finds no usable link left restores its
      // own.
      const left = await bounded(() => store.list(userId))
      if (!left.every(isLeftover)) return { undo }
      await undo()
      return 'last'
    },
  }
}
