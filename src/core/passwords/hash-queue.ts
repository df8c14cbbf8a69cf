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

// Kept from the start: in a test that mocks timers later, a hash must not wait forever.
const { setTimeout: later } = globalThis

/** Utilization of the event loop from which on hashes give way. */
const busyFrom = 0.8
const shortestHashMs = 5
const longestPauseMs = 100

/**
 * Creates a queue for hashing. A hash takes tens of MiB, and a core for tens of milliseconds.
 * Without a bound, a flood of sign-ins would use up the memory and the thread pool of the app.
 *
 * Where cores are few, hashes take processor time from the event loop. If it was busy during a
 * hash, the next one starts only after as long again. So a flood leaves time for other requests.
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
      const startedAtMs = performance.now()
      const before = performance.eventLoopUtilization()
      try {
        return await task()
      } finally {
        const tookMs = performance.now() - startedAtMs
        const { utilization } = performance.eventLoopUtilization(before)
        const next = waiting.shift()
        if (!next) running--
        else if (tookMs < shortestHashMs || utilization < busyFrom) next()
        else later(next, Math.min(tookMs, longestPauseMs))
      }
    },
  }
}
