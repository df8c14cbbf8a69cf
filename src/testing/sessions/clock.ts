import assert from 'node:assert/strict'
import type { SessionStore } from '../../ports/session-store.js'
import { atOnce, type Declare } from '../store-kit.js'
import { digestText, record, tagText } from './records.js'

/** Waits until the store's own clock has reached `atMs`. */
async function reached(
  store: SessionStore,
  tag: string,
  handle: string,
  atMs: number,
): Promise<void> {
  for (;;) {
    const found = await store.readTimed(tag, handle)
    assert.ok(found)
    if (found.atMs >= atMs) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Tests of the store's own clock, and of writes with a deadline. */
export function timing(declare: Declare<SessionStore>) {
  declare('readTimed returns the same record as read, and the time of the store', async (store) => {
    const tag = tagText()
    const one = record({ metadata: '{"a":"|"}' })
    await store.create(tag, one, 5)
    const first = await store.readTimed(tag, one.handle)
    assert.ok(first)
    assert.deepEqual({ ...first.record }, one)
    assert.ok(Number.isSafeInteger(first.atMs) && first.atMs > 0)
    await reached(store, tag, one.handle, first.atMs + 20)
    await store.revoke(tag, one.handle)
    assert.equal(await store.readTimed(tag, one.handle), null)
    assert.equal(await store.readTimed(tag, digestText()), null)
    assert.equal(await store.readTimed(tagText(), one.handle), null)
  })

  declare('an update is applied before its deadline and refused from then on', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const now = (await store.readTimed(tag, one.handle))?.atMs ?? 0
    assert.equal(
      await store.update(tag, one.handle, { epoch: 'in time' }, undefined, now + 60_000),
      true,
    )
    assert.equal(await store.update(tag, one.handle, { epoch: 'late' }, undefined, now), false)
    assert.equal(
      await store.update(tag, one.handle, { epoch: 'late' }, { epoch: 'in time' }, now),
      false,
    )
    assert.equal(
      await store.update(tag, one.handle, { epoch: 'other' }, { epoch: 'none' }, now + 60_000),
      false,
    )
    assert.equal(await store.update(tag, one.handle, { epoch: 'never' }, undefined, 0), false)
    assert.deepEqual({ ...(await store.read(tag, one.handle)) }, { ...one, epoch: 'in time' })
    await reached(store, tag, one.handle, now + 30)
    assert.equal(await store.update(tag, one.handle, { epoch: 'late' }, undefined, now + 30), false)
    assert.equal((await store.read(tag, one.handle))?.epoch, 'in time')
  })

  declare(
    'exactly one of 100 parallel compare-and-set updates with a deadline succeeds',
    async (store) => {
      const tag = tagText()
      const one = record()
      await store.create(tag, one, 5)
      const now = (await store.readTimed(tag, one.handle))?.atMs ?? 0
      const limits = [now, now + 60_000]
      const answers = await atOnce(100, (i) =>
        store.update(
          tag,
          one.handle,
          { csrfDigest: `new${i}` },
          { csrfDigest: one.csrfDigest },
          limits[i % 2],
        ),
      )
      assert.equal(answers.filter(Boolean).length, 1)
      assert.equal(answers.indexOf(true) % 2, 1)
      assert.equal((await store.read(tag, one.handle))?.csrfDigest, `new${answers.indexOf(true)}`)
    },
  )
}
