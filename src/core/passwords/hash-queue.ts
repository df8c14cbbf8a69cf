import { performance } from 'node:perf_hooks'
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

/** Utilization of the event loop from which on hashing gives way. */
const busyFrom = 0.8
const longestPauseMs = 100

/**
 * Creates a queue for hashing. A hash takes tens of MiB, and a core for tens of milliseconds.
 * Without a bound, a flood of sign-ins would use up the memory and the thread pool of the app.
 *
 * Where there are few cores, hashes compete with the event loop. If it was busy during a hash, the
 * next one waits as long as that hash took: session requests beside a flood of sign-ins on one core
 * were twice as many.
 */
export function createHashQueue(maxConcurrent: number, maxQueued: number): HashQueue {
  let running = 0
  const waiting: (() => void)[] = []
  const release = () => {
    const next = waiting.shift()
    // The finished task hands its slot over, so `running` does not change.
    if (next) next()
    else running--
  }
  return {
    async run(task) {
      if (running >= maxConcurrent) {
        if (waiting.length >= maxQueued) throw retryAfter(new OverloadedError(), 1)
        await new Promise<void>((resolve) => waiting.push(resolve))
      } else running++
      const startedAtMs = performance.now()
      const before = performance.eventLoopUtilization()
      try {
        return await task()
      } finally {
        const { utilization } = performance.eventLoopUtilization(before)
        if (utilization < busyFrom) release()
        else setTimeout(release, Math.min(performance.now() - startedAtMs, longestPauseMs))
      }
    },
  }
}
