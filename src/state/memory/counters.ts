import { LRUCache } from 'lru-cache'
import type { AttemptBudget, BudgetResult, CounterStore } from '../../ports/counter-store.js'

const DAY_MS = 86_400_000

interface Entry {
  /** Times of the allowed attempts, oldest first. */
  times: number[]
  lockedUntilMs: number
  level: number
}

/**
 * Uses `maxSize`, because with `max` the cache allocates all entries at once: megabytes when idle.
 */
const boundedBy = <V extends object>(max: number) =>
  new LRUCache<string, V>({ maxSize: max, sizeCalculation: () => 1 })

/**
 * Counters in this process. No method awaits anything, so each is atomic.
 *
 * Bounded to `max` entries of each kind. Locked entries, and those with an escalation level, are in
 * a separate cache, so a flood of new keys evicts only other new keys. To evict one lock, an
 * attacker has to cause `max` others, each with a full budget of attempts.
 */
export function memoryCounters(max = 100_000): CounterStore {
  const windows = boundedBy<{ count: number; endsAtMs: number }>(max)
  const open = boundedBy<Entry>(max)
  const locked = boundedBy<Entry>(max)

  const entryOf = (key: string, now: number): Entry => {
    const lock = locked.get(key)
    if (lock && lock.lockedUntilMs + DAY_MS > now) return lock
    const entry = lock ?? open.get(key) ?? { times: [], lockedUntilMs: 0, level: 0 }
    // The escalation has expired, so the entry moves back to the open ones.
    if (lock) locked.delete(key)
    entry.level = 0
    open.set(key, entry)
    return entry
  }

  const attempt = (budget: AttemptBudget, now: number): BudgetResult => {
    const entry = entryOf(budget.key, now)
    if (entry.lockedUntilMs > now)
      return { retryMs: entry.lockedUntilMs - now, count: 0, lockedNow: false }
    const keptMs =
      budget.maxPerDay === undefined ? budget.windowMs : Math.max(budget.windowMs, DAY_MS)
    entry.times = entry.times.filter((time) => time > now - keptMs)
    const count = entry.times.filter((time) => time > now - budget.windowMs).length
    const today = entry.times.filter((time) => time > now - DAY_MS).length
    if (
      count < budget.maxAttempts &&
      (budget.maxPerDay === undefined || today < budget.maxPerDay)
    ) {
      entry.times.push(now)
      return { retryMs: 0, count: count + 1, lockedNow: false }
    }
    const retryMs = Math.min(budget.lockMs * 2 ** entry.level, budget.maxLockMs)
    entry.level += 1
    entry.lockedUntilMs = now + retryMs
    open.delete(budget.key)
    locked.set(budget.key, entry)
    return { retryMs, count: 0, lockedNow: true }
  }

  return {
    async hit(key, windowMs) {
      const now = Date.now()
      const current = windows.get(key)
      const window =
        current && current.endsAtMs > now ? current : { count: 0, endsAtMs: now + windowMs }
      window.count += 1
      if (window !== current) windows.set(key, window)
      return { count: window.count, resetMs: window.endsAtMs - now }
    },

    async attempt(entries) {
      const now = Date.now()
      let refused = false
      return entries.map((entry) => {
        if (refused) return { retryMs: 0, count: 0, lockedNow: false }
        const result = attempt(entry, now)
        refused = result.retryMs > 0
        return result
      })
    },

    async giveBack(keys) {
      for (const key of keys) (locked.get(key) ?? open.get(key))?.times.pop()
    },

    async forgive(keys) {
      for (const key of keys) {
        open.delete(key)
        locked.delete(key)
      }
    },
  }
}
