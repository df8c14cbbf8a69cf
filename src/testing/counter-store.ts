import assert from 'node:assert/strict'
import type { BudgetResult, CounterStore } from '../ports/counter-store.js'
import { assertLocked, budgetOf, keyText, MINUTE_MS, one, passed } from './attempt-budgets.js'
import {
  atOnce,
  type ConformanceOptions,
  type Declare,
  HOSTILE_TEXTS,
  onSchedule,
  past,
  type StoreFactory,
  storeKit,
} from './store-kit.js'

/**
 * Declares the tests that every `CounterStore` must pass.
 * @param factory called once per test; returns an empty store
 * @example
 * counterStoreConformance(async () => ({ store: myCounters(await emptyDatabase()) }))
 */
export function counterStoreConformance(
  factory: StoreFactory<CounterStore>,
  options: ConformanceOptions = {},
): void {
  const declare = storeKit(factory, options, 'counter store')
  windows(declare)
  budgetTests(declare)
  locks(declare)
  forgiving(declare)
}

function windows(declare: Declare<CounterStore>) {
  declare('hits are counted separately for each key', async (store) => {
    const [key, other] = [keyText(), keyText()]
    for (let count = 1; count <= 3; count += 1) {
      const window = await store.hit(key, MINUTE_MS)
      assert.equal(window.count, count)
      assert.ok(window.resetMs > 0 && window.resetMs <= MINUTE_MS)
    }
    assert.equal((await store.hit(other, MINUTE_MS)).count, 1)
  })

  declare('100 parallel hits are counted 1 to 100', async (store) => {
    const key = keyText()
    const counts = (await atOnce(100, () => store.hit(key, MINUTE_MS))).map(({ count }) => count)
    assert.deepEqual(
      counts.sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i + 1),
    )
  })

  declare(
    'a window ends a fixed time after its first hit, and the next hit opens another',
    async (store) => {
      const key = keyText()
      await onSchedule(async (onTime) => {
        const startMs = Date.now()
        if ((await store.hit(key, 1000)).count !== 1) return 'late'
        await past(startMs + 400)
        const second = await store.hit(key, 1000)
        if (!onTime(startMs + 1000)) return 'late'
        assert.equal(second.count, 2)
        assert.ok(second.resetMs <= 700, 'a later hit does not extend the window')
        await past(Date.now() + second.resetMs)
        assert.equal((await store.hit(key, 1000)).count, 1)
        return undefined
      })
    },
  )

  declare('keys of any text are distinct', async (store) => {
    const suffix = keyText()
    for (const text of HOSTILE_TEXTS) {
      const key = `${text}${suffix}`
      assert.equal((await store.hit(key, MINUTE_MS)).count, 1)
      assert.deepEqual(await one(store, budgetOf({ key })), passed(1))
    }
  })
}

function budgetTests(declare: Declare<CounterStore>) {
  declare(
    'attempts within the budget pass, the next one locks, later ones are refused',
    async (store) => {
      const budget = budgetOf()
      for (const count of [1, 2, 3]) assert.deepEqual(await one(store, budget), passed(count))
      assertLocked(await one(store, budget), budget.lockMs, true)
      assertLocked(await one(store, budget), budget.lockMs, false)
    },
  )

  declare('a budget of 0 attempts locks at the first attempt', async (store) => {
    assertLocked(await one(store, budgetOf({ maxAttempts: 0 })), 10 * MINUTE_MS, true)
  })

  declare(
    'of 100 parallel attempts exactly the budget passes and exactly one locks',
    async (store) => {
      const budget = budgetOf({ maxAttempts: 7 })
      const results = await atOnce(100, () => one(store, budget))
      const counts = results.filter(({ retryMs }) => retryMs === 0).map(({ count }) => count)
      assert.deepEqual(
        counts.sort((a, b) => a - b),
        [1, 2, 3, 4, 5, 6, 7],
      )
      assert.equal(results.filter(({ lockedNow }) => lockedNow).length, 1)
    },
  )

  declare(
    'budgets are checked in order, and a refusal does not count in later ones',
    async (store) => {
      const [strict, loose] = [budgetOf({ maxAttempts: 1 }), budgetOf({ maxAttempts: 5 })]
      const spared = { retryMs: 0, count: 0, lockedNow: false }
      assert.deepEqual(await store.attempt([strict, loose]), [passed(1), passed(1)])
      const second = await store.attempt([loose, strict])
      assert.deepEqual(second[0], passed(2))
      assertLocked(second[1] as BudgetResult, strict.lockMs, true)
      for (let round = 0; round < 5; round++) {
        const refused = await store.attempt([strict, loose])
        assertLocked(refused[0] as BudgetResult, strict.lockMs, false)
        assert.deepEqual(refused[1], spared)
      }
      assert.deepEqual(await one(store, loose), passed(3))
    },
  )

  declare('attempt and forgive accept an empty list', async (store) => {
    assert.deepEqual(await store.attempt([]), [])
    await store.forgive([])
  })

  declare('100 parallel calls that share two budgets exceed neither', async (store) => {
    const [wide, tight] = [budgetOf({ maxAttempts: 9 }), budgetOf({ maxAttempts: 4 })]
    const results = await atOnce(100, () => store.attempt([wide, tight]))
    const passes = (index: number) =>
      results.filter((result) => (result[index]?.count ?? 0) > 0).length
    assert.deepEqual([passes(0), passes(1)], [9, 4])
  })

  declare('hits and attempts of the same key are counted separately', async (store) => {
    const budget = budgetOf({ maxAttempts: 1 })
    await store.hit(budget.key, MINUTE_MS)
    assert.deepEqual(await one(store, budget), passed(1))
    assert.equal((await store.hit(budget.key, MINUTE_MS)).count, 2)
  })

  declare('the window slides: each attempt expires separately', async (store) => {
    await onSchedule(async (onTime) => {
      const budget = budgetOf({ maxAttempts: 2, windowMs: 1000 })
      const startMs = Date.now()
      await one(store, budget)
      if (!onTime(startMs + 100)) return 'late'
      await past(startMs + 600)
      await one(store, budget)
      // The first attempt has left the window, the second hasn't. A fixed window would count 1
      // here.
      await past(startMs + 1100)
      const [third, fourth] = [await one(store, budget), await one(store, budget)]
      if (!onTime(startMs + 1600)) return 'late'
      assert.deepEqual(third, passed(2))
      assertLocked(fourth, budget.lockMs, true)
      return undefined
    })
  })

  declare('all 200 attempts of an hour-long budget are counted', async (store) => {
    const budget = budgetOf({ maxAttempts: 200, windowMs: 60 * MINUTE_MS, maxPerDay: 300 })
    for (let count = 1; count <= 200; count += 1)
      assert.deepEqual(await one(store, budget), passed(count))
    assertLocked(await one(store, budget), budget.lockMs, true)
  })
}

function locks(declare: Declare<CounterStore>) {
  declare('a lock expires, and attempts during the lock are not counted', async (store) => {
    const budget = budgetOf({ maxAttempts: 2, windowMs: 100, lockMs: 400 })
    await store.attempt([budget, budget])
    await onSchedule(async () => {
      const locking = await one(store, budget)
      if (!locking.lockedNow) return 'late'
      await atOnce(20, () => one(store, budget))
      await past(Date.now() + locking.retryMs)
      assert.deepEqual(await one(store, budget), passed(1))
      return undefined
    })
  })

  declare('each lock is twice as long as the previous one, up to maxLockMs', async (store) => {
    // No attempt is allowed, so every attempt outside a lock causes one.
    const budget = budgetOf({ maxAttempts: 0, lockMs: 100, maxLockMs: 300 })
    for (const expected of [100, 200, 300, 300]) {
      const result = await one(store, budget)
      assert.deepEqual(result, { retryMs: expected, count: 0, lockedNow: true })
      await past(Date.now() + expected)
    }
  })

  declare('the first lock is not longer than maxLockMs', async (store) => {
    const result = await one(
      store,
      budgetOf({ maxAttempts: 0, lockMs: 10 * MINUTE_MS, maxLockMs: MINUTE_MS }),
    )
    assert.deepEqual(result, { retryMs: MINUTE_MS, count: 0, lockedNow: true })
  })

  declare('maxPerDay stops a slow brute-force attack', async (store) => {
    const budget = budgetOf({
      maxAttempts: 3,
      windowMs: 50,
      lockMs: 200,
      maxLockMs: 300,
      maxPerDay: 4,
    })
    for (let i = 0; i < 4; i += 1) {
      assert.equal((await one(store, budget)).retryMs, 0)
      await past(Date.now() + 50)
    }
    // Beyond the daily limit each attempt locks, longer each time.
    for (const expected of [200, 300]) {
      assert.deepEqual(await one(store, budget), { retryMs: expected, count: 0, lockedNow: true })
      await past(Date.now() + expected)
    }
    assert.deepEqual(await one(store, { ...budget, maxPerDay: 5 }), passed(1))
  })

  declare('without maxPerDay there is no daily limit', async (store) => {
    const budget = budgetOf({ maxAttempts: 1, windowMs: 10 })
    for (let i = 0; i < 8; i += 1) {
      assert.deepEqual(await one(store, budget), passed(1))
      await past(Date.now() + 10)
    }
  })
}

function forgiving(declare: Declare<CounterStore>) {
  declare(
    'forgive resets attempts, a current lock, the escalation and the daily count',
    async (store) => {
      const budget = budgetOf({ maxAttempts: 1, maxPerDay: 2 })
      for (let round = 0; round < 4; round += 1) {
        assert.deepEqual(await one(store, budget), passed(1))
        assert.deepEqual(await one(store, budget), {
          retryMs: budget.lockMs,
          count: 0,
          lockedNow: true,
        })
        await store.forgive([budget.key])
      }
    },
  )

  declare('forgive resets only the given keys', async (store) => {
    const [a, b, c] = [
      budgetOf({ maxAttempts: 1 }),
      budgetOf({ maxAttempts: 1 }),
      budgetOf({ maxAttempts: 1 }),
    ]
    await store.attempt([a, b, c])
    for (const each of [a, b, c]) await one(store, each)
    await store.forgive([a.key, keyText(), c.key])
    assert.deepEqual([await one(store, a), await one(store, c)], [passed(1), passed(1)])
    assertLocked(await one(store, b), b.lockMs, false)
  })

  declare('giveBack removes one attempt and keeps the others and the lock', async (store) => {
    const budget = budgetOf({ maxAttempts: 2 })
    for (const keys of [[], [budget.key, keyText()]]) await store.giveBack(keys)
    assert.deepEqual([await one(store, budget), await one(store, budget)], [passed(1), passed(2)])
    await store.giveBack([budget.key])
    assert.deepEqual(await one(store, budget), passed(2))
    assertLocked(await one(store, budget), budget.lockMs, true)
    await store.giveBack([budget.key])
    assertLocked(await one(store, budget), budget.lockMs, false)
  })

  declare('forgive does not reset the windows of hits', async (store) => {
    const key = keyText()
    await store.hit(key, MINUTE_MS)
    await store.forgive([key])
    assert.equal((await store.hit(key, MINUTE_MS)).count, 2)
  })
}
