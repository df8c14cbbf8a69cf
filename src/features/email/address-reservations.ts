import type { Row, Users } from '../../core/users/users.js'
import { shortHmac } from '../../crypto/digest.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import type { Seal } from '../../crypto/seal.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'

/** An address that an account had before it was moved. */
export interface FormerAddress {
  readonly email: string
  readonly wasVerified: boolean
}

/**
 * An address that the account can still go back to, until `endsAtMs` (`Date.now()` milliseconds).
 */
type Reservation = FormerAddress & { readonly endsAtMs: number }

/**
 * Former addresses that accounts can go back to. No other account can take an exclusive one in the
 * meantime. Otherwise an attacker who changed a victim's address could block the revert, by taking
 * the old address with another account. An address that was left earlier takes precedence over
 * later ones, because the account had it before an attacker could interfere. An account that was
 * created later under the same id has no part in them: the owner of an earlier account's address
 * must not be able to take it over. Throws `UnavailableError` (503) in an outage.
 */
export interface Reservations {
  /**
   * Remembers that the user may go back to the address.
   * @param exclusive whether other accounts are kept from taking the address
   */
  reserve(user: Row, former: FormerAddress, ttlSeconds: number, exclusive: boolean): Promise<void>
  /** Addresses reserved for the user, in the order in which they were left. */
  of(user: Row): Promise<readonly Reservation[]>
  /** Reference (`Users`) of the account for which the address is reserved, deleted or not. */
  referenceAt(email: string): Promise<string | null>
  /** The account for which the address is reserved. */
  holderOf(email: string): Promise<Row | null>
  /** Releases the address, and all that the user left after it. */
  releaseSince(user: Row, email: string): Promise<void>
}

/**
 * Limits the size of a user's entry. Later addresses beyond it are still reserved, but `of` doesn't
 * list them, so their revert tokens aren't renewed.
 */
const maxReservations = 8

/** @param keys the first one writes; all of them read, so that entries survive a secret rotation */
export function createReservations(
  store: OneTimeStore,
  users: Users,
  { seal, open }: Seal,
  keys: PurposeKeys,
): Reservations {
  const userKey = (key: Buffer, user: Row) => shortHmac(key, `user ${users.referenceOf(user)}`)
  const emailKey = (key: Buffer, email: string) => shortHmac(key, `email ${email}`)

  /**
   * Exists as long as the account may go back to an exclusive address. The entry of the address
   * only says which account was the last to reserve it. So releasing is one atomic step, which
   * can't delete what another account reserves at that moment.
   */
  const claimKey = (key: Buffer, email: string, reference: string) =>
    shortHmac(key, `claim ${JSON.stringify([email, reference])}`)

  const first = async (keyOf: (key: Buffer) => string): Promise<string | null> => {
    const found = await orUnavailable(Promise.all(keys.map((key) => store.peek(keyOf(key)))))
    return found.find((value) => value !== null) ?? null
  }

  const of = async (user: Row): Promise<readonly Reservation[]> => {
    const sealed = await first((key) => userKey(key, user))
    const text = sealed === null ? null : open(sealed)
    return text === null
      ? []
      : (JSON.parse(text) as Reservation[]).filter(({ endsAtMs }) => endsAtMs > Date.now())
  }
  const write = (user: Row, list: readonly Reservation[]) => {
    const ttlMs = Math.max(...list.map(({ endsAtMs }) => endsAtMs)) - Date.now()
    return orUnavailable(store.put(userKey(keys[0], user), seal(JSON.stringify(list)), ttlMs))
  }
  const referenceAt = async (email: string) => {
    const sealed = await first((key) => emailKey(key, email))
    const reference = sealed === null ? null : open(sealed)
    // Also without a reference, so that the duration doesn't tell a reserved address.
    const claim = await first((key) => claimKey(key, email, reference ?? ''))
    return claim === null ? null : reference
  }

  return {
    of,
    async reserve(user, former, ttlSeconds, exclusive) {
      const ttlMs = ttlSeconds * 1000
      if (exclusive) {
        const [key] = keys
        const reference = users.referenceOf(user)
        await orUnavailable(store.put(claimKey(key, former.email, reference), '1', ttlMs))
        await orUnavailable(store.put(emailKey(key, former.email), seal(reference), ttlMs))
      }
      const list = [...(await of(user))]
      const known = list.findIndex(({ email }) => email === former.email)
      list[known < 0 ? list.length : known] = { ...former, endsAtMs: Date.now() + ttlMs }
      await write(user, list.slice(0, maxReservations))
    },
    referenceAt,
    async holderOf(email) {
      const reference = await referenceAt(email)
      return reference === null ? null : users.findReferenced(reference)
    },
    async releaseSince(user, email) {
      const list = await of(user)
      const at = list.findIndex((reserved) => reserved.email === email)
      if (at < 0) return
      const reference = users.referenceOf(user)
      const ended = list
        .slice(at)
        .flatMap(({ email }) => keys.map((key) => store.take(claimKey(key, email, reference))))
      const forgotten = keys.map((key) => store.take(userKey(key, user)))
      await orUnavailable(Promise.all([...ended, ...forgotten]))
      if (at > 0) await write(user, list.slice(0, at))
    },
  }
}
