import assert from 'node:assert/strict'
import type { SessionRecord, SessionStore } from '../../ports/session-store.js'
import { atOnce, type Declare, HOSTILE_TEXTS } from '../store-kit.js'
import { digestText, handlesOf, MINUTE_MS, record, sorted, tagText } from './records.js'

const byHandle = (a: SessionRecord, b: SessionRecord) => (a.handle < b.handle ? -1 : 1)

/** Tests that sessions are stored unchanged. */
export function keeping(declare: Declare<SessionStore>) {
  declare('a session reads back exactly as it was created', async (store) => {
    const tag = tagText()
    const plain = record()
    const full = record({
      remember: true,
      sudoUntilMs: Date.now() + MINUTE_MS,
      metadata: '{"tenant":"a|b"}',
      client: digestText(),
    })
    assert.deepEqual(await store.create(tag, plain, 5), [])
    assert.deepEqual(await store.create(tag, full, 5), [])
    assert.deepEqual({ ...(await store.read(tag, plain.handle)) }, plain)
    assert.deepEqual({ ...(await store.read(tag, full.handle)) }, full)
    assert.deepEqual(
      (await store.list(tag)).map((found) => ({ ...found })).sort(byHandle),
      [plain, full].sort(byHandle),
    )
  })

  declare('texts of any kind are returned unchanged, also after an update', async (store) => {
    for (const text of HOSTILE_TEXTS) {
      const tag = tagText()
      const odd = record({
        userId: text,
        epoch: text,
        csrfDigest: text,
        client: text,
        metadata: text,
      })
      await store.create(tag, odd, 5)
      assert.deepEqual({ ...(await store.read(tag, odd.handle)) }, odd)
      assert.equal(
        await store.update(
          tag,
          odd.handle,
          { sudoUntilMs: 5, epoch: `${text}2` },
          { csrfDigest: text },
        ),
        true,
      )
      const expected = { ...odd, sudoUntilMs: 5, epoch: `${text}2` }
      assert.deepEqual({ ...(await store.read(tag, odd.handle)) }, expected)
      assert.deepEqual({ ...(await store.list(tag))[0] }, expected)
      assert.equal(await store.revokeAll(tag, { handle: odd.handle, epoch: text }), 0)
      assert.deepEqual({ ...(await store.read(tag, odd.handle)) }, { ...expected, epoch: text })
    }
  })

  declare(
    'empty texts and the largest and smallest times are returned unchanged',
    async (store) => {
      const tag = tagText()
      const largest = record({
        idleMs: Number.MAX_SAFE_INTEGER - 2 * Date.now(),
        absoluteExpiresAtMs: Number.MAX_SAFE_INTEGER,
        sudoUntilMs: Number.MAX_SAFE_INTEGER,
      })
      const smallest = record({
        createdAtMs: 0,
        authenticatedAtMs: 0,
        epoch: '',
        csrfDigest: '',
        client: '',
        userId: '',
      })
      await store.create(tag, largest, 5)
      await store.create(tag, smallest, 5)
      assert.deepEqual({ ...(await store.read(tag, largest.handle)) }, largest)
      assert.deepEqual({ ...(await store.read(tag, smallest.handle)) }, smallest)
      assert.equal(
        await store.update(tag, largest.handle, { sudoUntilMs: Number.MAX_SAFE_INTEGER - 1 }),
        true,
      )
      assert.equal(
        (await store.read(tag, largest.handle))?.sudoUntilMs,
        Number.MAX_SAFE_INTEGER - 1,
      )
    },
  )

  declare('an unknown user or handle has no session', async (store) => {
    const tag = tagText()
    const known = record()
    await store.create(tag, known, 5)
    for (const [user, handle] of [
      [tagText(), known.handle],
      [tag, digestText()],
      [tag, ''],
      [tag, '__proto__'],
    ] as const) {
      assert.equal(await store.read(user, handle), null)
      assert.equal(await store.update(user, handle, { sudoUntilMs: 1 }), false)
      assert.equal(await store.revoke(user, handle), false)
    }
    assert.deepEqual(await store.list(tagText()), [])
    assert.equal(await store.revokeAll(tagText()), 0)
    assert.deepEqual({ ...(await store.read(tag, known.handle)) }, known)
  })

  declare('revoke and revokeAll never affect the sessions of another user', async (store) => {
    const [mine, yours] = [tagText(), tagText()]
    const [my, your] = [record(), record()]
    await store.create(mine, my, 1)
    await store.create(yours, your, 1)
    assert.equal(await store.revoke(mine, your.handle), false)
    assert.equal(await store.revokeAll(mine), 1)
    assert.deepEqual(handlesOf(await store.list(yours)), [your.handle])
  })
}

/** Tests of `create`, of the limit on sessions and of the order of `list`. */
export function making(declare: Declare<SessionStore>) {
  declare('create removes the replaced session before it applies the cap', async (store) => {
    const [tag, foreign] = [tagText(), tagText()]
    const records = [3, 2, 1].map((minutes) =>
      record({ lastActivityAtMs: Date.now() - minutes * MINUTE_MS }),
    )
    for (const one of records) await store.create(tag, one, 3)
    const yours = record()
    await store.create(foreign, yours, 3)
    const [oldest, middle, newest] = records.map(({ handle }) => handle) as [string, string, string]
    const next = record()
    assert.deepEqual(await store.create(tag, next, 3, newest), [])
    assert.deepEqual(
      sorted(handlesOf(await store.list(tag))),
      sorted([oldest, middle, next.handle]),
    )
    // Replacing an unknown handle, an ended session or one of another user still evicts a
    // session.
    for (const [i, handle] of [digestText(), newest, yours.handle].entries()) {
      const another = record({ lastActivityAtMs: Date.now() + i })
      assert.equal((await store.create(tag, another, 3, handle)).length, 1)
    }
    assert.deepEqual(handlesOf(await store.list(foreign)), [yours.handle])
    const alone = record()
    await store.create(foreign, alone, 1, yours.handle)
    assert.deepEqual(handlesOf(await store.list(foreign)), [alone.handle])
    const ended = record({ lastActivityAtMs: 0, absoluteExpiresAtMs: 1 })
    assert.deepEqual(await store.create(foreign, ended, 1, alone.handle), [])
    assert.deepEqual(handlesOf(await store.list(foreign)), [alone.handle])
  })

  declare(
    'the least recently active sessions beyond the cap are evicted and returned',
    async (store) => {
      const tag = tagText()
      const now = Date.now()
      const ages = [3, 1, 5, 2, 4]
      const records = ages.map((minutes) =>
        record({ lastActivityAtMs: now - minutes * MINUTE_MS, createdAtMs: now - 10 * MINUTE_MS }),
      )
      for (const one of records) assert.deepEqual(await store.create(tag, one, 5), [])
      const newest = record()
      assert.deepEqual(await store.create(tag, newest, 5), [records[2]?.handle])
      assert.equal(await store.read(tag, records[2]?.handle ?? ''), null)
      const last = record()
      assert.deepEqual(
        sorted(await store.create(tag, last, 3)),
        sorted([records[0]?.handle ?? '', records[3]?.handle ?? '', records[4]?.handle ?? '']),
      )
      assert.deepEqual(
        sorted(handlesOf(await store.list(tag))),
        sorted([records[1]?.handle ?? '', newest.handle, last.handle]),
      )
    },
  )

  declare('activity written by an update decides which session is evicted', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const touched = record({ lastActivityAtMs: now - 9 * MINUTE_MS })
    const idle = record({ lastActivityAtMs: now - 5 * MINUTE_MS })
    await store.create(tag, touched, 2)
    await store.create(tag, idle, 2)
    await store.update(tag, touched.handle, { lastActivityAtMs: now - MINUTE_MS })
    assert.deepEqual(await store.create(tag, record(), 2), [idle.handle])
  })

  declare(
    'the new session is never evicted, whatever its last activity and the cap',
    async (store) => {
      const tag = tagText()
      const before = record()
      await store.create(tag, before, 5)
      const old = record({ lastActivityAtMs: Date.now() - 20 * MINUTE_MS })
      assert.deepEqual(await store.create(tag, old, 1), [before.handle])
      assert.deepEqual(handlesOf(await store.list(tag)), [old.handle])
      const next = record()
      assert.deepEqual(await store.create(tag, next, 0), [old.handle])
      assert.deepEqual(handlesOf(await store.list(tag)), [next.handle])
    },
  )

  declare('creating an existing handle replaces its session and evicts none', async (store) => {
    const tag = tagText()
    const [first, other] = [record({ lastActivityAtMs: Date.now() - MINUTE_MS }), record()]
    await store.create(tag, first, 2)
    await store.create(tag, other, 2)
    const again = { ...first, epoch: 'again' }
    assert.deepEqual(await store.create(tag, again, 2), [])
    assert.deepEqual(sorted(handlesOf(await store.list(tag))), sorted([first.handle, other.handle]))
    assert.deepEqual({ ...(await store.read(tag, first.handle)) }, again)
  })

  declare('a cap of Infinity evicts no session', async (store) => {
    const tag = tagText()
    await atOnce(200, async () =>
      assert.deepEqual(await store.create(tag, record(), Number.POSITIVE_INFINITY), []),
    )
    assert.equal((await store.list(tag)).length, 200)
  })

  declare('a session that has already expired is not stored and evicts none', async (store) => {
    const tag = tagText()
    const live = record()
    await store.create(tag, live, 1)
    const now = Date.now()
    for (const dead of [
      record({ absoluteExpiresAtMs: now - 1 }),
      record({ lastActivityAtMs: now - MINUTE_MS, idleMs: 1000 }),
    ]) {
      assert.deepEqual(await store.create(tag, dead, 1), [])
      assert.equal(await store.read(tag, dead.handle), null)
    }
    assert.deepEqual(handlesOf(await store.list(tag)), [live.handle])
  })

  declare('list returns the most recently active session first', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const records = [4, 2, 6, 1, 3].map((minutes) =>
      record({ lastActivityAtMs: now - minutes * MINUTE_MS }),
    )
    for (const one of records) await store.create(tag, one, 10)
    const expected = [...records].sort((a, b) => b.lastActivityAtMs - a.lastActivityAtMs)
    assert.deepEqual(handlesOf(await store.list(tag)), handlesOf(expected))
    await store.update(tag, expected[4]?.handle ?? '', { lastActivityAtMs: now })
    assert.equal((await store.list(tag))[0]?.handle, expected[4]?.handle)
  })
}
