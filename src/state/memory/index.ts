import type { CounterStore } from '../../ports/counter-store.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import type { SessionStore } from '../../ports/session-store.js'
import { memoryCounters } from './counters.js'
import { memoryOneTime } from './one-time.js'
import { memorySessions } from './sessions.js'

/** State of one process: lost at its end, not shared with any other. For development, tests and single small apps. */
export function memoryState(): { sessions: SessionStore; oneTime: OneTimeStore; counters: CounterStore } {
  return { sessions: memorySessions(), oneTime: memoryOneTime(), counters: memoryCounters() }
}
