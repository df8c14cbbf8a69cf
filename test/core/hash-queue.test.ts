import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createHashQueue } from '../../src/core/passwords/hash-queue.js'

/** Occupies the event loop. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

/** Runs a hash and another one that waits for it. Tells whether the second follows at once. */
async function followsAtOnce(hash: () => Promise<void>): Promise<boolean> {
  const queue = createHashQueue(1, 1)
  let started = false
  const first = queue.run(hash)
  const second = queue.run(async () => {
    started = true
  })
  await first
  // Only promises: no timer can have ended in between.
  for (let turn = 0; turn < 10; turn++) await null
  const atOnce = started
  await second
  assert.equal(started, true)
  return atOnce
}

test('hash queue: the next hash follows at once while the event loop is idle', async () => {
  assert.equal(await followsAtOnce(() => delay(50)), true)
})

test('hash queue: the next hash gives way to a busy event loop, and runs then', async () => {
  assert.equal(await followsAtOnce(async () => work(50)), false)
})

test('hash queue: a failed hash gives way, too, and frees its place', async () => {
  const queue = createHashQueue(1, 1)
  const failing = queue.run(async () => {
    work(20)
    throw new Error('cannot hash')
  })
  await assert.rejects(failing, /cannot hash/)
  assert.equal(await queue.run(async () => 'hashed'), 'hashed')
  assert.equal(await queue.run(async () => 'again'), 'again')
})

test('hash queue: 100 hashes in parallel beside a busy event loop run all, never more than allowed', async () => {
  const queue = createHashQueue(3, 97)
  let running = 0
  let most = 0
  const hash = async () => {
    most = Math.max(most, ++running)
    await delay(1)
    work(2)
    running--
  }
  await Promise.all(Array.from({ length: 100 }, () => queue.run(hash)))
  assert.equal(running, 0)
  assert.equal(most, 3)
})
