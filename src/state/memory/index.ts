import type { CounterStore } from '../../ports/counter-store.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import type { SessionStore } from '../../ports/session-store.js'
import { memoryCounters } from './counters.js'
import { memoryOneTime } from './one-time.js'
import { memorySessions } from './sessions.js'

/**
 * State in the memory of one process. It is lost when the process ends, and other processes don't
 * share it. For development, tests and small apps with a single process.
 */
export function memoryState() {
  const oneTime: OneTimeStore = memoryOneTime()
  const sessions: SessionStore = memorySessions()
  const counters: CounterStore = memoryCounters()
  // Anyone can begin a sign-in at a provider. A flood of them must not evict tokens sent to users.
  const attempts: OneTimeStore = memoryOneTime()
  return { sessions, oneTime, attempts, counters }
}
