import { LRUCache } from 'lru-cache'
import type { AttemptBudget, BudgetResult, CounterStore } from '../../ports/counter-store.js'

const DAY_MS = 86_400_000

interface Lane {
  /** Times of the attempts let through, oldest first. */
  times: number[]
  lockedUntilMs: number
  level: number
}

/**
 * Counters in this process. No method awaits anything, so each is atomic.
 *
 * Bounded to `max` entries of each kind. Lanes that have been locked (and whose escalation is still remembered) live in
 * a cache of their own, so that a flood of fresh keys pushes out other fresh keys only. To push out one lock an attacker
 * has to earn `max` others, each at the price of a full budget of attempts.
 */
export function memoryCounters(max = 100_000): CounterStore {
  const windows = new LRUCache<string, { count: number; endsAtMs: number }>({ max })
  const open = new LRUCache<string, Lane>({ max })
  const locked = new LRUCache<string, Lane>({ max })

  const laneOf = (key: string, now: number): Lane => {
    const held = locked.get(key)
    if (held && held.lockedUntilMs + DAY_MS > now) return held
    const lane = held ?? open.get(key) ?? { times: [], lockedUntilMs: 0, level: 0 }
    // The escalation is forgotten; from here on it is a lane like any other.
    if (held) locked.delete(key)
    lane.level = 0
    open.set(key, lane)
    return lane
  }

  const attempt = (budget: AttemptBudget, now: number): BudgetResult => {
    const lane = laneOf(budget.key, now)
    if (lane.lockedUntilMs > now)
      return { retryMs: lane.lockedUntilMs - now, count: 0, lockedNow: false }
    const keptMs =
      budget.maxPerDay === undefined ? budget.windowMs : Math.max(budget.windowMs, DAY_MS)
    lane.times = lane.times.filter((time) => time > now - keptMs)
    const count = lane.times.filter((time) => time > now - budget.windowMs).length
    const today = lane.times.filter((time) => time > now - DAY_MS).length
    if (
      count < budget.maxAttempts &&
      (budget.maxPerDay === undefined || today < budget.maxPerDay)
    ) {
      lane.times.push(now)
      return { retryMs: 0, count: count + 1, lockedNow: false }
    }
    const retryMs = Math.min(budget.lockMs * 2 ** lane.level, budget.maxLockMs)
    lane.level += 1
    lane.lockedUntilMs = now + retryMs
    open.delete(budget.key)
    locked.set(budget.key, lane)
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

    async attempt(lanes) {
      const now = Date.now()
      let refused = false
      return lanes.map((lane) => {
        if (refused) return { retryMs: 0, count: 0, lockedNow: false }
        const result = attempt(lane, now)
        refused = result.retryMs > 0
        return result
      })
    },

    async forgive(keys) {
      for (const key of keys) {
        open.delete(key)
        locked.delete(key)
      }
    },
  }
}
