import assert from 'node:assert/strict'
import type { SessionStore } from '../../ports/session-store.js'
import type { Declare } from '../store-kit.js'
import { digestText, handlesOf, MINUTE_MS, record, tagText } from './records.js'

/** Tests of `update`: changed fields and expected fields. */
export function updating(declare: Declare<SessionStore>) {
  declare('an update changes only the given fields', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const later = Date.now() + 5
    const patches = [
      { csrfDigest: digestText() },
      { sudoUntilMs: later + MINUTE_MS },
      { epoch: 'next' },
      { authenticatedAtMs: later },
      { lastActivityAtMs: later },
    ]
    let expected = one
    for (const patch of patches) {
      assert.equal(await store.update(tag, one.handle, patch), true)
      expected = { ...expected, ...patch }
      assert.deepEqual({ ...(await store.read(tag, one.handle)) }, expected)
    }
    assert.equal(await store.update(tag, one.handle, {}), true)
    assert.deepEqual({ ...(await store.read(tag, one.handle)) }, expected)
  })

  declare('an update can clear a text and end sudo mode', async (store) => {
    const tag = tagText()
    const one = record({ sudoUntilMs: Date.now() + MINUTE_MS })
    await store.create(tag, one, 5)
    assert.equal(await store.update(tag, one.handle, { csrfDigest: '', sudoUntilMs: 0 }), true)
    assert.deepEqual(
      { ...(await store.read(tag, one.handle)) },
      { ...one, csrfDigest: '', sudoUntilMs: 0 },
    )
  })

  declare(
    'lastActivityAtMs never decreases, and the rest of the update is written',
    async (store) => {
      const tag = tagText()
      const one = record()
      await store.create(tag, one, 5)
      assert.equal(
        await store.update(tag, one.handle, {
          lastActivityAtMs: one.lastActivityAtMs - 1000,
          epoch: 'x',
        }),
        true,
      )
      assert.deepEqual({ ...(await store.read(tag, one.handle)) }, { ...one, epoch: 'x' })
    },
  )

  declare(
    'a compare-and-set update is applied only if every expected field matches',
    async (store) => {
      const tag = tagText()
      const one = record({ sudoUntilMs: 7 })
      await store.create(tag, one, 5)
      const wrong = [
        { csrfDigest: digestText() },
        { epoch: `${one.epoch}x` },
        { sudoUntilMs: 8 },
        { lastActivityAtMs: one.lastActivityAtMs - 1 },
        { authenticatedAtMs: one.authenticatedAtMs + 1 },
        { csrfDigest: one.csrfDigest, epoch: '' },
      ]
      for (const expected of wrong)
        assert.equal(await store.update(tag, one.handle, { epoch: 'other' }, expected), false)
      assert.deepEqual({ ...(await store.read(tag, one.handle)) }, one)
      const { csrfDigest, epoch, sudoUntilMs, lastActivityAtMs, authenticatedAtMs } = one
      const all = { csrfDigest, epoch, sudoUntilMs, lastActivityAtMs, authenticatedAtMs }
      assert.equal(await store.update(tag, one.handle, { epoch: 'other' }, all), true)
      assert.equal((await store.read(tag, one.handle))?.epoch, 'other')
    },
  )
}

/** Tests of revocation. */
export function ending(declare: Declare<SessionStore>) {
  declare(
    'revoke removes only the given session, and returns false the second time',
    async (store) => {
      const tag = tagText()
      const [one, other] = [record(), record()]
      await store.create(tag, one, 5)
      await store.create(tag, other, 5)
      assert.equal(await store.revoke(tag, one.handle), true)
      assert.equal(await store.revoke(tag, one.handle), false)
      assert.equal(await store.read(tag, one.handle), null)
      assert.equal(await store.update(tag, one.handle, { lastActivityAtMs: Date.now() }), false)
      assert.equal(await store.read(tag, one.handle), null)
      assert.deepEqual(handlesOf(await store.list(tag)), [other.handle])
    },
  )

  declare('revokeAll removes every session of the user and returns their number', async (store) => {
    const tag = tagText()
    const records = [record(), record(), record()]
    for (const one of records) await store.create(tag, one, 5)
    assert.equal(await store.revokeAll(tag), 3)
    assert.equal(await store.revokeAll(tag), 0)
    assert.deepEqual(await store.list(tag), [])
    for (const { handle } of records) assert.equal(await store.read(tag, handle), null)
  })

  declare('revokeAll can keep one session and change only its epoch', async (store) => {
    const tag = tagText()
    const kept = record({ metadata: '{"a":1}' })
    for (const one of [record(), kept, record()]) await store.create(tag, one, 5)
    assert.equal(await store.revokeAll(tag, { handle: kept.handle, epoch: 'epoch2' }), 2)
    assert.deepEqual({ ...(await store.read(tag, kept.handle)) }, { ...kept, epoch: 'epoch2' })
    assert.equal(await store.revokeAll(tag, { handle: kept.handle }), 0)
    assert.deepEqual(
      (await store.list(tag)).map((found) => ({ ...found })),
      [{ ...kept, epoch: 'epoch2' }],
    )
  })

  declare('revokeAll removes every session if the one to keep is unknown', async (store) => {
    const tag = tagText()
    await store.create(tag, record(), 5)
    const unknown = digestText()
    assert.equal(await store.revokeAll(tag, { handle: unknown, epoch: 'x' }), 1)
    assert.equal(await store.read(tag, unknown), null)
    assert.deepEqual(await store.list(tag), [])
  })
}
