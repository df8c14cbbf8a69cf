import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { memoryCounters } from '../../src/state/memory/counters.js'
import { counterStoreConformance, userStoreConformance } from '../../src/testing/index.js'

/** Runs a conformance kit against a broken store. Resolves with the failure messages. */
async function failuresOf(
  declare: (test: (name: string, run: () => Promise<void>) => void) => void,
) {
  const checks: (() => Promise<void>)[] = []
  declare((_name, run) => void checks.push(run))
  const messages: string[] = []
  for (const run of checks) await run().catch((error: Error) => void messages.push(error.message))
  return messages
}

test('user-store kit: a failed check names the rule, the last call and the docs page', async () => {
  const messages = await failuresOf((test) =>
    userStoreConformance(
      () => {
        const store = memoryUsers()
        return { ...store, compareAndSet: async () => true }
      },
      { test },
    ),
  )
  assert.ok(messages.length > 0)
  for (const message of messages) {
    assert.match(message, /^The rule ".+" does not hold\./)
    assert.match(message, /Last call: \w+\(/)
    assert.match(message, /docs\/users\.md/)
  }
  assert.ok(messages.some((message) => /compareAndSet\(.*resolved with true/.test(message)))
})

test('counter-store kit: a failed check names the docs page', async () => {
  const messages = await failuresOf((test) =>
    counterStoreConformance(() => ({ ...memoryCounters(), giveBack: async () => {} }), { test }),
  )
  assert.equal(messages.length, 1)
  assert.match(messages[0] ?? '', /docs\/state\.md/)
})
