import { encodeUserId } from '../../core/users/user-id.js'
import type { Row, Users } from '../../core/users/users.js'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import type { Seal } from '../../crypto/seal.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'

/**
 * Links that can still be undone: an attacker who knew the password may have added one to get back
 * in. Throws `UnavailableError` (503) in an outage.
 */
export interface RecentLinks {
  /** Called before the link is made, so that every new link is remembered. */
  remember(user: Row, provider: string, subject: string): Promise<void>
  /** Provider accounts that the user linked recently. */
  of(user: Row): Promise<{ readonly provider: string; readonly subject: string }[]>
  forget(user: Row, provider: string): Promise<void>
}

interface Dependencies {
  readonly users: Users
  readonly store: OneTimeStore
  readonly seal: Seal
  readonly keys: PurposeKeys
  readonly providers: readonly string[]
  /** How long a link can be undone. */
  readonly seconds: number
}

export function createRecentLinks(services: Dependencies): RecentLinks {
  const { users, store, keys, providers, seconds } = services
  const { seal, open } = services.seal
  const keysOf = (user: Row, provider: string) =>
    keys.map((key) => shortHmac(key, `${provider} ${encodeUserId(users.idOf(user))}`))

  const subjectAt = async (user: Row, provider: string): Promise<string | null> => {
    const found = await Promise.all(keysOf(user, provider).map((key) => store.peek(key)))
    const sealed = found.find((value) => value !== null) ?? null
    return sealed === null ? null : open(sealed)
  }

  return {
    async remember(user, provider, subject) {
      const [key = ''] = keysOf(user, provider)
      await orUnavailable(store.put(key, seal(subject), seconds * 1000))
    },
    async of(user) {
      const found = await orUnavailable(
        Promise.all(
          providers.map(async (provider) => ({
            provider,
            subject: await subjectAt(user, provider),
          })),
        ),
      )
      return found.flatMap(({ provider, subject }) =>
        subject === null ? [] : [{ provider, subject }],
      )
    },
    async forget(user, provider) {
      await orUnavailable(Promise.all(keysOf(user, provider).map((key) => store.take(key))))
    },
  }
}
