import { OverloadedError } from '../../errors.js'
import { retryAfter } from '../../lib/unavailable.js'

/** Runs a bounded number of tasks concurrently and lets a bounded number wait. */
export interface HashQueue {
  /**
   * Runs the task when it is its turn.
   * @throws OverloadedError (503) if too many are waiting
   */
  run<T>(task: () => Promise<T>): Promise<T>
}

/**
 * Creates a queue for hashing. A hash takes tens of MiB, and a core for tens of milliseconds.
 * Without a bound, a flood of sign-ins would use up the memory and the thread pool of the app.
 */
export function createHashQueue(maxConcurrent: number, maxQueued: number): HashQueue {
  let running = 0
  const waiting: (() => void)[] = []
  return {
    async run(task) {
      if (running >= maxConcurrent) {
        if (waiting.length >= maxQueued) throw retryAfter(new OverloadedError(), 1)
        // The finished task hands its slot over, so `running` does not change.
        await new Promise<void>((resolve) => waiting.push(resolve))
      } else running++
      try {
        return await task()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else running--
      }
    },
  }
}
