/** State of a fixed window after a hit. */
export interface WindowCount {
  /** Hits in this window, this one included. */
  readonly count: number
  /** Milliseconds until the window ends. */
  readonly resetMs: number
}

/** One budget of attempts. */
export interface AttemptBudget {
  /** Digest or prefixed address; no personal data in plain text except IP addresses. */
  readonly key: string
  /** Attempts let through in any `windowMs` (sliding); the next one locks. */
  readonly maxAttempts: number
  readonly windowMs: number
  /** Length of the first lock; each lock doubles the next, up to `maxLockMs`. */
  readonly lockMs: number
  readonly maxLockMs: number
  /**
   * Attempts let through in any day without a success in between, so that a patient attacker who stays below
   * `maxAttempts` is stopped as well; absent = no such limit. Beyond it each attempt locks, with the same doubling.
   */
  readonly maxPerDay?: number
}

/** Result for one counter. */
export interface BudgetResult {
  /** 0 when the attempt is let through, else milliseconds until the lock ends. */
  readonly retryMs: number
  /** Attempts counted in the window, this one included; 0 when refused or not judged. */
  readonly count: number
  /** True when this very attempt made the lock. */
  readonly lockedNow: boolean
}

/** Atomic counters. The level of escalation is remembered for 24 hours after a lock has ended. */
export interface CounterStore {
  /** Counts a hit in the fixed window of `windowMs` that the first hit opened. */
  hit(key: string, windowMs: number): Promise<WindowCount>
  /**
   * Checks and counts an attempt in each lane (counter) in order, atomically. A locked lane refuses without counting, and
   * the lanes after it are neither checked nor counted nor created (`retryMs` 0, `count` 0), so that what one
   * lane refuses uses up no other. Results in the order of `lanes`. One round trip; on a Cluster one per lane.
   */
  attempt(lanes: readonly AttemptBudget[]): Promise<BudgetResult[]>
  /** A success: resets attempts, day count and escalation, and lifts a lock. */
  forgive(keys: readonly string[]): Promise<void>
  /** Takes back the latest attempt of each lane; locks and escalation stay. */
  giveBack(keys: readonly string[]): Promise<void>
}
