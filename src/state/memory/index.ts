import type { CounterStore } from '../../ports/counter-store.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import type { SessionStore } from '../../ports/session-store.js'
import { memoryCounters } from './counters.js'
import { memoryOneTime } from './one-time.js'
import { memorySessions } from './sessions.js'

/** State of one process: lost at its end, not shared with any other. For development, tests and single small apps. */
export function memoryState() {
  const oneTime: OneTimeStore = memoryOneTime()
  const sessions: SessionStore = memorySessions()
  const counters: CounterStore = memoryCounters()
  // Anybody may begin a sign-in, and must not push out what others were sent.
  const attempts: OneTimeStore = memoryOneTime()
  return { sessions, oneTime, attempts, counters }
}
