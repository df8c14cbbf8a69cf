import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { AttemptBudget, BudgetResult, CounterStore } from '../ports/counter-store.js'

export const MINUTE_MS = 60_000

export const keyText = () => randomBytes(16).toString('base64url')

export const budgetOf = (changes: Partial<AttemptBudget> = {}): AttemptBudget => ({
  key: keyText(),
  maxAttempts: 3,
  windowMs: MINUTE_MS,
  lockMs: 10 * MINUTE_MS,
  maxLockMs: 60 * MINUTE_MS,
  ...changes,
})

export const one = async (store: CounterStore, budget: AttemptBudget): Promise<BudgetResult> =>
  (await store.attempt([budget]))[0] as BudgetResult

export const passed = (count: number): BudgetResult => ({ retryMs: 0, count, lockedNow: false })

export const assertLocked = (result: BudgetResult, mostMs: number, lockedNow: boolean) => {
  assert.ok(
    result.retryMs > 0 && result.retryMs <= mostMs,
    `retryMs ${result.retryMs} of at most ${mostMs}`,
  )
  assert.equal(result.count, 0)
  assert.equal(result.lockedNow, lockedNow)
}
