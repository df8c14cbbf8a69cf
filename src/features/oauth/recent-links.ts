import type { Row, Users } from '../../core/users/users.js'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'

/**
 * Providers to which an account was linked recently: an attacker who knew the password may have
 * done so to get back in. Entries say nothing about the account at the provider. If two links are
 * made at once, the last one to be remembered need not be the one that is stored. They are never
 * forgotten early: a link that is still being made could then survive its removal. Throws
 * `UnavailableError` (503) in an outage.
 */
export interface RecentLinks {
  /**
   * Called before the link is made, so that every new link is remembered. The user must not be
   * linked to the provider yet: its link is then at most as old as the entry.
   */
  remember(user: Row, provider: string): Promise<void>
  /** Providers to which the user was linked recently. */
  of(user: Row): Promise<string[]>
}

interface Dependencies {
  readonly users: Users
  readonly store: OneTimeStore
  readonly keys: PurposeKeys
  readonly providers: readonly string[]
  /** How long a link can be undone. */
  readonly seconds: number
}

export function createRecentLinks(services: Dependencies): RecentLinks {
  const { users, store, keys, providers, seconds } = services
  const keysOf = (user: Row, provider: string) =>
    keys.map((key) => shortHmac(key, `${provider} ${users.referenceOf(user)}`))

  const isRecent = async (user: Row, provider: string): Promise<boolean> => {
    const found = await Promise.all(keysOf(user, provider).map((key) => store.peek(key)))
    return found.some((value) => value !== null)
  }

  return {
    async remember(user, provider) {
      const [key = ''] = keysOf(user, provider)
      await orUnavailable(store.put(key, '1', seconds * 1000))
    },
    async of(user) {
      const recent = await orUnavailable(
        Promise.all(providers.map((provider) => isRecent(user, provider))),
      )
      return providers.filter((_, i) => recent[i])
    },
  }
}
