/** State of a fixed window after a hit. */
export interface WindowCount {
  /** Hits in this window, this one included. */
  readonly count: number
  /** Milliseconds until the window ends. */
  readonly resetMs: number
}

/** A limit on attempts, with its lockout. */
export interface AttemptBudget {
  /**
   * A prefixed keyed digest, which contains no personal data.
   */
  readonly key: string
  /** Attempts allowed within `windowMs` (sliding window). The next one locks. */
  readonly maxAttempts: number
  readonly windowMs: number
  /** Length of the first lock. Each further lock is twice as long, up to `maxLockMs`. */
  readonly lockMs: number
  readonly maxLockMs: number
  /**
   * Attempts allowed within 24 hours without a success. Stops a slow brute force that stays below
   * `maxAttempts`. Beyond it each attempt locks, with the same doubling. Absent: no such limit.
   */
  readonly maxPerDay?: number
}

/** Result of an attempt for one budget. */
export interface BudgetResult {
  /** 0 if the attempt is allowed, otherwise milliseconds until the lock ends. */
  readonly retryMs: number
  /** Attempts counted in the window, including this one. 0 if refused or not checked. */
  readonly count: number
  /** Whether this attempt caused the lock. */
  readonly lockedNow: boolean
}

/**
 * Atomic counters. The escalation level (the length of the next lock) lasts 24 hours after a lock.
 */
export interface CounterStore {
  /** Counts a hit in a fixed window, which the first hit opens for `windowMs`. */
  hit(key: string, windowMs: number): Promise<WindowCount>
  /**
   * Checks and counts an attempt against each budget in order, atomically. A locked budget refuses
   * without counting. The budgets after it are not checked, counted or created (`retryMs` 0,
   * `count` 0), so a refused attempt doesn't use them up. Results are in the order of `budgets`. One
   * round trip, or one per budget on a Redis Cluster.
   */
  attempt(budgets: readonly AttemptBudget[]): Promise<BudgetResult[]>
  /** After a success: resets attempts, the daily count and escalation, and removes a lock. */
  forgive(keys: readonly string[]): Promise<void>
  /** Removes the latest attempt of each budget. Keeps locks and escalation. */
  giveBack(keys: readonly string[]): Promise<void>
}
