import type { Users } from '../../core/users/users.js'
import { createDeadline, within } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { OAuthAccountStore } from '../../ports/oauth-account-store.js'
import type { UserValues } from '../../ports/user-store.js'
import type { LinkedAccounts } from './linked-accounts.js'

interface TableLinksOptions {
  /** How long the table may take before the request gets its 503. */
  readonly milliseconds: number
  /** Keys of the providers that are configured: others let nobody in. */
  readonly providers: readonly string[]
  /** See `SignInMethods`. */
  readonly cleared: UserValues
}

/** How far the clocks of the app and its database may lie apart. */
const clockToleranceMs = 60_000

const timeOf = (value: unknown): number =>
  value instanceof Date || typeof value === 'string' || typeof value === 'number'
    ? new Date(value).getTime()
    : Number.NaN

/** Links in a table of the app's. */
export function linkedAccountsInTable(
  users: Users,
  store: OAuthAccountStore,
  { milliseconds, providers, cleared }: TableLinksOptions,
): LinkedAccounts {
  const deadline = createDeadline(milliseconds)
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    within(deadline, call, 'The store of OAuth accounts', unavailableError)

  return {
    fields: [],
    cleared,
    async find(provider, subject) {
      const account = await bounded(() => store.find(provider, subject))
      if (!account || account.provider !== provider || account.subject !== subject) return null
      const user = await users.findById(account.userId)
      // The user is deleted, or another one has the id now: the link must not open that account.
      const isOlder =
        user !== null &&
        timeOf(account.linkedAt) + clockToleranceMs < timeOf(users.read(user, 'createdAt'))
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
        // Row and table are not written together. Who has taken the account over meanwhile has cleared the table already, and
        // would never know of a link that came after.
        const now = await users.findById(userId)
        if (now && users.epochOf(now) === users.epochOf(user)) return true
        // Only while it is this link: the owner may be linked here too by now.
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
    async remove(user, provider, subject) {
      const userId = users.idOf(user)
      const account = await bounded(() => store.find(provider, subject))
      if (account?.userId !== userId || account.subject !== subject) return false
      return (await bounded(() => store.remove(userId, provider, false))) === 'removed'
    },
    async detach(user, provider, hasOtherWay) {
      const userId = users.idOf(user)
      const accounts = await bounded(() => store.list(userId))
      // Read after the list: the caller must not remove links of someone who took the account over meanwhile.
      const row = await users.findById(userId)
      if (!row || users.epochOf(row) !== users.epochOf(user)) return 'absent'
      if (!accounts.some((account) => account.provider === provider)) return 'absent'
      const others = accounts.filter(
        (account) => account.provider !== provider && providers.includes(account.provider),
      )
      if (others.length === 0 && !hasOtherWay(row)) return 'last'
      const isLeftover = (account: { provider: string }) => !providers.includes(account.provider)
      const removed = await bounded(() => store.remove(userId, provider, !hasOtherWay(row)))
      if (removed !== 'removed' || hasOtherWay(row) || !accounts.some(isLeftover)) return removed
      // The store has counted links to providers that are no longer configured, which let nobody in: of two at once the one
      // that finds nothing else left takes its own back.
      const left = await bounded(() => store.list(userId))
      if (!left.every(isLeftover)) return removed
      const own = accounts.find((account) => account.provider === provider)
      if (own) await bounded(() => store.add(own))
      return 'last'
    },
  }
}
