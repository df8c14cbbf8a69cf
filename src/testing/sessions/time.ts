import assert from 'node:assert/strict'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import { atOnce, type Declare, past } from '../store-kit.js'
import { handlesOf, MINUTE_MS, record, sorted, tagText } from './records.js'

/** Tests of the idle timeout and the absolute timeout. */
export function expiring(declare: Declare<SessionStore>) {
  /** Two sessions that expire in `ms`, one by each timeout, and one that stays live. */
  const dying = async (store: SessionStore, tag: string, ms: number) => {
    const now = Date.now()
    const idle = record({ lastActivityAtMs: now - MINUTE_MS, idleMs: MINUTE_MS + ms })
    const absolute = record({ absoluteExpiresAtMs: now + ms })
    const living = record({ lastActivityAtMs: now - MINUTE_MS })
    for (const one of [idle, absolute, living]) await store.create(tag, one, 5)
    // A database counts the time left from when it gets the statement.
    return { idle, absolute, living, endMs: Date.now() + ms }
  }

  declare(
    'a session past its idle or absolute timeout is not read, updated, listed or counted',
    async (store) => {
      const tag = tagText()
      const { idle, absolute, living, endMs } = await dying(store, tag, 300)
      await past(endMs)
      for (const { handle } of [idle, absolute]) {
        assert.equal(await store.read(tag, handle), null)
        assert.equal(await store.readTimed(tag, handle), null)
        assert.equal(await store.update(tag, handle, { lastActivityAtMs: Date.now() }), false)
        assert.equal(await store.read(tag, handle), null)
      }
      assert.deepEqual(handlesOf(await store.list(tag)), [living.handle])
      for (const { handle } of [idle, absolute])
        assert.equal(await store.revoke(tag, handle), false)
      assert.equal(await store.revokeAll(tag), 1)
    },
  )

  declare(
    'expired sessions do not count towards the cap and are not returned as evicted',
    async (store) => {
      const tag = tagText()
      const { living, endMs } = await dying(store, tag, 300)
      await past(endMs)
      assert.deepEqual(await store.create(tag, record(), 2), [])
      assert.deepEqual(await store.create(tag, record(), 2), [living.handle])
    },
  )

  declare('revokeAll neither counts nor keeps an expired session', async (store) => {
    const tag = tagText()
    const { idle, endMs } = await dying(store, tag, 300)
    await past(endMs)
    assert.equal(await store.revokeAll(tag, { handle: idle.handle, epoch: 'x' }), 1)
    assert.equal(await store.read(tag, idle.handle), null)
    assert.deepEqual(await store.list(tag), [])
  })

  declare('activity extends the idle timeout in the store', async (store) => {
    const tag = tagText()
    const now = Date.now()
    // The only session of its user, so no other one extends the TTL of the key.
    const one = record({ lastActivityAtMs: now - MINUTE_MS, idleMs: MINUTE_MS + 1500 })
    await store.create(tag, one, 5)
    assert.equal(await store.update(tag, one.handle, { lastActivityAtMs: now }), true)
    await past(now + 1500)
    assert.equal((await store.read(tag, one.handle))?.lastActivityAtMs, now)
    assert.deepEqual(handlesOf(await store.list(tag)), [one.handle])
  })

  declare('activity does not extend the absolute timeout', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const one = record({ absoluteExpiresAtMs: now + 400 })
    await store.create(tag, one, 5)
    await store.update(tag, one.handle, { lastActivityAtMs: now + 300 })
    await past(Date.now() + 400)
    assert.equal(await store.read(tag, one.handle), null)
  })

  declare('a short-lived session does not shorten the lifetime of another', async (store) => {
    const tag = tagText()
    const long = record()
    await store.create(tag, long, 5)
    await store.create(tag, record({ absoluteExpiresAtMs: Date.now() + 200 }), 5)
    await past(Date.now() + 200)
    assert.deepEqual({ ...(await store.read(tag, long.handle)) }, long)
    assert.deepEqual(handlesOf(await store.list(tag)), [long.handle])
  })
}

/** Tests with 100 concurrent calls. */
export function racing(declare: Declare<SessionStore>) {
  declare('the cap is exact under 100 parallel creations', async (store) => {
    const tag = tagText()
    const records = Array.from({ length: 100 }, () => record())
    const evicted = (
      await atOnce(100, (i) => store.create(tag, records[i] as SessionRecord, 5))
    ).flat()
    const live = handlesOf(await store.list(tag))
    assert.equal(live.length, 5)
    assert.equal(evicted.length, 95)
    assert.deepEqual(sorted([...live, ...evicted]), sorted(handlesOf(records)))
  })

  declare('100 parallel updates of different fields are all applied', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const later = Date.now() + 100
    const answers = await atOnce(100, (i) => {
      const patches = [
        { csrfDigest: 'csrf' },
        { sudoUntilMs: 42 },
        { epoch: 'epoch' },
        { authenticatedAtMs: 43 },
      ]
      return store.update(tag, one.handle, patches[i % 5] ?? { lastActivityAtMs: later - i })
    })
    assert.ok(answers.every(Boolean))
    assert.deepEqual(
      { ...(await store.read(tag, one.handle)) },
      {
        ...one,
        csrfDigest: 'csrf',
        sudoUntilMs: 42,
        epoch: 'epoch',
        authenticatedAtMs: 43,
        lastActivityAtMs: later - 4,
      },
    )
  })

  declare('exactly one of 100 parallel compare-and-set updates succeeds', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const answers = await atOnce(100, (i) =>
      store.update(tag, one.handle, { csrfDigest: `new${i}` }, { csrfDigest: one.csrfDigest }),
    )
    assert.equal(answers.filter(Boolean).length, 1)
    assert.equal((await store.read(tag, one.handle))?.csrfDigest, `new${answers.indexOf(true)}`)
  })

  declare('exactly one of 100 parallel revocations of a session succeeds', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const answers = await atOnce(100, () => store.revoke(tag, one.handle))
    assert.equal(answers.filter(Boolean).length, 1)
  })

  declare('updates racing a revocation never restore the session', async (store) => {
    for (const revoke of [
      (tag: string, handle: string) => store.revoke(tag, handle),
      (tag: string) => store.revokeAll(tag),
    ]) {
      const tag = tagText()
      const one = record()
      await store.create(tag, one, 5)
      const answers = await atOnce<boolean | number>(100, (i) =>
        i === 50
          ? revoke(tag, one.handle)
          : store.update(tag, one.handle, { lastActivityAtMs: Date.now() + i }),
      )
      assert.equal(Number(answers[50]), 1)
      assert.equal(await store.read(tag, one.handle), null)
      assert.deepEqual(await store.list(tag), [])
    }
  })
}
