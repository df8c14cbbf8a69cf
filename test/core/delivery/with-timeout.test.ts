import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { attempt } from '../../../src/core/delivery/with-timeout.js'

test('attempt: work that times out leaves no listener on the queue signal', async () => {
  const outer = new AbortController().signal
  const never = () => new Promise<void>(() => {})
  const all = Array.from({ length: 20 }, () =>
    assert.rejects(attempt(never, 5, { outer, keepAlive: true }), {
      code: 'CRUDAUTH_DELIVERY_TIMEOUT',
    }),
  )
  assert.equal(getEventListeners(outer, 'abort').length, 20)
  await Promise.all(all)
  assert.equal(getEventListeners(outer, 'abort').length, 0)
})

test('attempt: aborting the queue signal rejects it and aborts the signal of its work', async () => {
  const outer = new AbortController()
  let told: AbortSignal | undefined
  const work = (signal: AbortSignal) => {
    told = signal
    return new Promise<void>(() => {})
  }
  const ended = attempt(work, 60_000, { outer: outer.signal, keepAlive: true })
  outer.abort(new Error('closed'))
  await assert.rejects(ended, /closed/)
  assert.equal(told?.aborted, true)
})
