import type { PasskeyStore } from '../ports/passkey-store.js'
import { bench, type FourUsers } from './passkeys/bench.js'
import { READING } from './passkeys/reading.js'
import { WRITING } from './passkeys/writing.js'
import { type ConformanceOptions, type StoreFactory, storeKit } from './store-kit.js'

/** Options of `passkeyStoreConformance()`. */
export interface PasskeyConformanceOptions extends ConformanceOptions {
  /**
   * Ids of four users, for a table with a foreign key or with ids of another type.
   * @defaultValue `[1, 2, 3, 4]`
   */
  readonly users?: FourUsers
}

/**
 * Declares the tests that every `PasskeyStore` must pass.
 * @param factory called once per test; returns a store without passkeys, and optionally `close`,
 * which is called after the test
 * @example
 * passkeyStoreConformance(async () => ({ store: myPasskeys(await emptyDatabase()) }))
 */
export function passkeyStoreConformance(
  factory: StoreFactory<PasskeyStore>,
  options: PasskeyConformanceOptions = {},
): void {
  const declare = storeKit(factory, options, 'passkeys')
  const users = options.users ?? [1, 2, 3, 4]
  for (const [sentence, run] of Object.entries({ ...READING, ...WRITING }))
    declare(sentence, (store) => run(store, bench(store, users)))
}
