import { type ConformanceOptions, type StoreFactory, storeKit } from './store-kit.js'
import { type AnyUserStore, bench } from './users/bench.js'
import { READING } from './users/reading.js'
import { WRITING } from './users/writing.js'

/**
 * Declares the tests that every `UserStore` must pass. Fields that `store.fields` lacks are
 * skipped.
 * @param factory called once per test; returns a store without users, and optionally `close`, which
 * is called after the test
 * @example
 * userStoreConformance(async () => ({ store: myUsers(await emptyDatabase()) }))
 */
export function userStoreConformance(
  factory: StoreFactory<AnyUserStore>,
  options: ConformanceOptions = {},
): void {
  const declare = storeKit(factory, options, 'users')
  for (const [sentence, run] of Object.entries({ ...READING, ...WRITING }))
    declare(sentence, (store) => run(store, bench(store)))
}
