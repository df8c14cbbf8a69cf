import { shortHmac } from '../../crypto/digest.js'
import { LockedOutError } from '../../errors.js'
import type { LockoutReason } from '../../events.js'
import { addressKey } from '../../http/network-address.js'
import { retryAfter, unavailableError } from '../../lib/unavailable.js'
import type { AttemptBudget, CounterStore } from '../../ports/counter-store.js'
import { canonicalEmail } from '../identity/canonical.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'

/** Budgets of sign-in attempts, shared by every way of signing in with a password. */
export interface LockoutPolicy {
  /** Attempts of one account in a window. Default 5. */
  readonly maxAttempts: number
  /** Attempts of one address in a window, successes included. Default 30. */
  readonly maxAttemptsPerIp: number
  /** Seconds. Default 60. */
  readonly windowSeconds: number
  /** Seconds of the first lock; each doubles the next. Default 60. */
  readonly lockSeconds: number
  /** Seconds of the longest lock. Default 3600. */
  readonly maxLockSeconds: number
}

/** Without a success in between, so that guessing at a pace below the window's limit ends as well. */
const maxAttemptsPerDay = 100

/** Who tries to sign in. */
interface Attempt {
  readonly identifier: string
  /** The user whom the identifier names, if any. */
  readonly user: Row | null
  readonly ip: string
  /** Id of a device on which that very user has signed in before, from its signed cookie. */
  readonly deviceId: string | null
}

export interface Lockout {
  /**
   * Counts the attempt, before any password is looked at. Returns what gives it back after a success.
   * @throws LockedOutError (429) @throws UnavailableError (503): no lockout is skipped in an outage
   */
  attempt(
    attempt: Attempt,
    onLocked: (reason: LockoutReason) => Promise<void>,
  ): Promise<() => Promise<void>>
}

export const noLockout: Lockout = { attempt: async () => async () => {} }

/** Letters of any case and width are one identifier, and all spellings of an address are. */
const foldIdentifier = (identifier: string) =>
  canonicalEmail(identifier) ?? identifier.normalize('NFKC').trim().toLowerCase()

export function createLockout(
  counters: CounterStore,
  policy: LockoutPolicy,
  users: Users,
  key: Buffer,
): Lockout {
  const times = {
    windowMs: policy.windowSeconds * 1000,
    lockMs: policy.lockSeconds * 1000,
    maxLockMs: policy.maxLockSeconds * 1000,
  }

  const nameKey = (identifier: string) => `lock:n:${shortHmac(key, foldIdentifier(identifier))}`

  /** Keys of everything that the user may be called. */
  const nameKeysOf = (user: Row): string[] =>
    users.store.fields.unique.flatMap((field) => {
      const name = users.read(user, field)
      return typeof name === 'string' ? [nameKey(name)] : []
    })

  const budgetsOf = ({
    identifier,
    user,
    ip,
    deviceId,
  }: Attempt): { reason: LockoutReason; lane: AttemptBudget }[] => {
    const subject = user
      ? `user:${encodeUserId(users.idOf(user))}`
      : `name:${foldIdentifier(identifier)}`
    const own = {
      ...times,
      maxAttempts: policy.maxAttempts,
      maxPerDay: Math.max(maxAttemptsPerDay, policy.maxAttempts),
    }
    if (deviceId !== null) {
      // A device that this user has signed in on guesses against a budget of its own and can guess at no one else, so
      // neither strangers' attempts at the account nor those from the same address keep its owner out.
      return [
        {
          reason: 'device',
          lane: { ...own, key: `lock:d:${shortHmac(key, `${deviceId} ${subject}`)}` },
        },
      ]
    }
    return [
      // First, so that a locked address burns no account's budget and makes no counters.
      {
        reason: 'address',
        lane: {
          ...times,
          maxAttempts: policy.maxAttemptsPerIp,
          key: `lock:a:${shortHmac(key, addressKey(ip))}`,
        },
      },
      { reason: 'identifier', lane: { ...own, key: `lock:u:${shortHmac(key, subject)}` } },
      // By its spelling as well, known or not: else the spellings that share a budget would tell that the name is taken.
      { reason: 'identifier', lane: { ...own, key: nameKey(identifier) } },
    ]
  }

  return {
    async attempt(attempt, onLocked) {
      const lanes = budgetsOf(attempt)
      let retryMs = 0
      const newlyLocked = new Set<LockoutReason>()
      try {
        const results = await counters.attempt(lanes.map(({ lane }) => lane))
        results.forEach((result, index) => {
          retryMs = Math.max(retryMs, result.retryMs)
          const reason = lanes[index]?.reason
          if (result.lockedNow && reason) newlyLocked.add(reason)
        })
      } catch (cause) {
        throw unavailableError(cause)
      }
      for (const reason of newlyLocked) await onLocked(reason)
      if (retryMs > 0) throw retryAfter(new LockedOutError(), retryMs / 1000)

      return async () => {
        const own = lanes.filter(({ reason }) => reason !== 'address').map(({ lane }) => lane.key)
        if (attempt.user && attempt.deviceId === null) own.push(...nameKeysOf(attempt.user))
        try {
          await counters.forgive(own)
        } catch {
          // The password was right; an attempt that stays counted refuses nobody now.
        }
      }
    },
  }
}
