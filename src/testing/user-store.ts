import { type ConformanceOptions, type StoreFactory, storeKit } from './store-kit.js'
import { type AnyUserStore, bench } from './users/bench.js'
import { READING } from './users/reading.js'
import { WRITING } from './users/writing.js'

/**
 * Declares the tests that a `UserStore` keeps every promise of its port, one call of `test` each:
 * `userStoreConformance(async () => ({ store: myUsers(await emptyDatabase()), close }))`.
 * What the model lacks, by `store.fields`, is passed over.
 * @param factory gives a store over an empty model each time; its `close` is called when the test has ended
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
