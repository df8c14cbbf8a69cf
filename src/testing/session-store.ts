import type { SessionStore } from '../ports/session-store.js'
import { ending, updating } from './sessions/changing.js'
import { timing } from './sessions/clock.js'
import { keeping, making } from './sessions/keeping.js'
import { expiring, racing } from './sessions/time.js'
import { type ConformanceOptions, type StoreFactory, storeKit } from './store-kit.js'

/**
 * Declares the tests that every `SessionStore` must pass.
 * @param factory called once per test; returns an empty store
 * @example
 * sessionStoreConformance(async () => ({ store: mySessions(await emptyDatabase()) }))
 */
export function sessionStoreConformance(
  factory: StoreFactory<SessionStore>,
  options: ConformanceOptions = {},
): void {
  const declare = storeKit(factory, options, 'session store')
  keeping(declare)
  making(declare)
  updating(declare)
  ending(declare)
  expiring(declare)
  racing(declare)
  timing(declare)
}
