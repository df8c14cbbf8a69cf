import type { FastifyRequest } from 'fastify'
import { shortHmac } from '../../crypto/digest.js'
import { LockedOutError } from '../../errors.js'
import type { Emit, LockoutReason } from '../../events.js'
import { addressKey } from '../../http/network-address.js'
import { retryAfter, unavailableError } from '../../lib/unavailable.js'
import type { AttemptBudget, CounterStore } from '../../ports/counter-store.js'
import { canonicalEmail } from '../identity/canonical.js'
import { encodeUserId } from '../users/user-id.js'
import type { Row, Users } from '../users/users.js'
import type { LoginContext } from './known-device.js'

/** Brute-force protection: how many attempts lock an account or an IP address, and for how long. */
export interface LockoutPolicy {
  /**
   * Sign-in attempts per account within a window; the next one locks. On Redis values above 1000
   * count as 1000.
   * @defaultValue `5`
   */
  readonly maxAttempts: number
  /**
   * Sign-in attempts per IP address within a window; a success is taken back. IPv6 addresses count by their /64.
   * @defaultValue `30`
   */
  readonly maxAttemptsPerIp: number
  /**
   * Length of the sliding window in seconds.
   * @defaultValue `60`
   */
  readonly windowSeconds: number
  /**
   * Seconds that the first lock lasts. Each further lock of an account lasts twice as long.
   * @defaultValue `60`
   */
  readonly lockSeconds: number
  /**
   * Seconds that a lock lasts at most.
   * @defaultValue `3600`
   */
  readonly maxLockSeconds: number
}

/**
 * Attempts per day without a success. Stops brute force that stays below the limit of the window.
 */
const maxAttemptsPerDay = 100

/** A sign-in attempt. */
interface Attempt {
  readonly identifier: string
  /** The user that the identifier names, if any. */
  readonly user: Row | null
  readonly ip: string
  /** Id of a device on which this user has signed in before, from its signed cookie. */
  readonly deviceId: string | null
}

interface Lockout {
  /**
   * Counts the attempt, before any password is verified.
   * @throws LockedOutError (429)
   * @throws UnavailableError (503): the lockout fails closed in an outage
   */
  attempt(
    attempt: Attempt,
    onLocked: (reason: LockoutReason) => Promise<void>,
  ): Promise<CountedAttempt>
  /** Counts an attempt by IP address alone. Throws the same. */
  attemptFrom(
    ip: string,
    onLocked: (reason: LockoutReason) => Promise<void>,
  ): Promise<CountedAttempt>
  /**
   * Lifts the locks of a user who has proved ownership with a message or a provider. Never rejects.
   */
  clear(user: Row): Promise<void>
}

/** An attempt that was counted. Its methods never reject. */
export interface CountedAttempt {
  /**
   * After a success: takes the attempt back from every counter and clears the account's failures.
   */
  forgive(): Promise<void>
  /** If no password or code was judged: takes the attempt back from every counter. */
  giveBack(): Promise<void>
}

/**
 * Counts an attempt at any factor: passwords and codes share one lockout.
 * @param identifier as it was typed
 * @throws LockedOutError (429), UnavailableError (503)
 */
export type CountAttempt = (
  context: LoginContext,
  identifier: string,
  user: Row | null,
) => Promise<CountedAttempt>

export const createCountAttempt =
  (lockout: Lockout, emit: Emit): CountAttempt =>
  async (context, identifier, user) => {
    const deviceId = await context.deviceOf(identifier, user)
    const { request } = context
    return lockout.attempt({ identifier, user, ip: request.ip, deviceId }, (reason) =>
      emit('onLockout', { identifier, reason }, request),
    )
  }

/**
 * Counts an attempt whose account isn't known yet.
 * @throws LockedOutError (429), UnavailableError (503)
 */
export type CountAddress = (request: FastifyRequest) => Promise<CountedAttempt>

export const createCountAddress =
  (lockout: Lockout, emit: Emit): CountAddress =>
  (request) =>
    lockout.attemptFrom(request.ip, (reason) =>
      emit('onLockout', { identifier: '', reason }, request),
    )

const nothing = async (): Promise<void> => {}
export const noLockout: Lockout = {
  attempt: async () => ({ forgive: nothing, giveBack: nothing }),
  attemptFrom: async () => ({ forgive: nothing, giveBack: nothing }),
  clear: nothing,
}

/**
 * Spellings that differ in case or width share one counter, and so do all spellings of an email
 * address.
 */
const foldIdentifier = (identifier: string) =>
  canonicalEmail(identifier) ?? identifier.normalize('NFKC').trim().toLowerCase()

/** A budget, and what its lock applies to. */
interface ReasonedBudget {
  readonly reason: LockoutReason
  readonly budget: AttemptBudget
}

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

  const identifierKey = (identifier: string) =>
    `lock:n:${shortHmac(key, foldIdentifier(identifier))}`

  /** Keys of all names of the user. */
  const identifierKeysOf = (user: Row): string[] =>
    users.store.fields.unique.flatMap((field) => {
      const name = users.read(user, field)
      return typeof name === 'string' ? [identifierKey(name)] : []
    })

  // Many users may share an IP address, so its lock does not escalate.
  const address = { ...times, maxLockMs: times.lockMs, maxAttempts: policy.maxAttemptsPerIp }
  const addressBudget = (ip: string): ReasonedBudget => ({
    reason: 'address',
    budget: { ...address, key: `lock:a:${shortHmac(key, addressKey(ip))}` },
  })

  const budgetsOf = ({ identifier, user, ip, deviceId }: Attempt): ReasonedBudget[] => {
    const subject = user
      ? `user:${encodeUserId(users.idOf(user))}`
      : `name:${foldIdentifier(identifier)}`
    const own = {
      ...times,
      maxAttempts: policy.maxAttempts,
      maxPerDay: Math.max(maxAttemptsPerDay, policy.maxAttempts),
    }
    if (deviceId !== null && user) {
      // A known device has its own budget, so attempts by others, even from the same address, can't
      // lock the owner out. That budget is for this user's password only. Known devices of one
      // account at one address share a second budget, so that stolen cookies don't add up.
      const device = `${deviceId} ${subject} ${users.epochOf(user)}`
      return [
        {
          reason: 'address',
          budget: { ...address, key: `lock:b:${shortHmac(key, `${addressKey(ip)} ${subject}`)}` },
        },
        { reason: 'device', budget: { ...own, key: `lock:d:${shortHmac(key, device)}` } },
      ]
    }
    return [
      // First, so that a locked address uses up no account's budget and creates no counters.
      addressBudget(ip),
      { reason: 'identifier', budget: { ...own, key: `lock:u:${shortHmac(key, subject)}` } },
      // Also by spelling, for known and unknown identifiers. Otherwise spellings that share a
      // budget would reveal that the account exists (user enumeration).
      { reason: 'identifier', budget: { ...own, key: identifierKey(identifier) } },
    ]
  }

  /** @throws LockedOutError, UnavailableError */
  const count = async (
    budgets: readonly ReasonedBudget[],
    onLocked: (reason: LockoutReason) => Promise<void>,
  ) => {
    let retryMs = 0
    const newlyLocked = new Set<LockoutReason>()
    try {
      const results = await counters.attempt(budgets.map(({ budget }) => budget))
      results.forEach((result, index) => {
        retryMs = Math.max(retryMs, result.retryMs)
        const reason = budgets[index]?.reason
        if (result.lockedNow && reason) newlyLocked.add(reason)
      })
    } catch (cause) {
      throw unavailableError(cause)
    }
    for (const reason of newlyLocked) await onLocked(reason)
    if (retryMs > 0) throw retryAfter(new LockedOutError(), retryMs / 1000)
  }

  return {
    async attemptFrom(ip, onLocked) {
      const counted = addressBudget(ip)
      await count([counted], onLocked)
      const giveBack = async () => {
        await Promise.allSettled([counters.giveBack([counted.budget.key])])
      }
      return { forgive: giveBack, giveBack }
    },

    async attempt(attempt, onLocked) {
      const budgets = budgetsOf(attempt)
      await count(budgets, onLocked)

      const keys = budgets.map(({ budget }) => budget.key)
      const own = budgets
        .filter(({ reason }) => reason !== 'address')
        .map(({ budget }) => budget.key)
      // Errors are ignored below: an attempt that stays counted does not affect this request.
      return {
        async forgive() {
          if (attempt.user && attempt.deviceId === null) own.push(...identifierKeysOf(attempt.user))
          const shared = keys.filter((key) => !own.includes(key))
          await Promise.allSettled([counters.forgive(own), counters.giveBack(shared)])
        },
        async giveBack() {
          await Promise.allSettled([counters.giveBack(keys)])
        },
      }
    },

    async clear(user) {
      const subject = `user:${encodeUserId(users.idOf(user))}`
      await Promise.allSettled([
        counters.forgive([`lock:u:${shortHmac(key, subject)}`, ...identifierKeysOf(user)]),
      ])
    },
  }
}
