import { OverloadedError } from '../../errors.js'
import { retryAfter } from '../../lib/unavailable.js'

/** Lets a bounded number of tasks run at once and a bounded number wait. */
export interface HashQueue {
  /** Runs the task in its turn. @throws OverloadedError (503) when too many wait already */
  run<T>(task: () => Promise<T>): Promise<T>
}

/**
 * A hash takes tens of MiB and a core for tens of milliseconds: without a bound a flood of logins would take the memory
 * and the thread pool of the whole app.
 */
export function createHashQueue(maxConcurrent: number, maxQueued: number): HashQueue {
  let running = 0
  const waiting: (() => void)[] = []
  return {
    async run(task) {
      if (running >= maxConcurrent) {
        if (waiting.length >= maxQueued) throw retryAfter(new OverloadedError(), 1)
        // The one that ends hands its place over, so `running` stays as it is.
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
