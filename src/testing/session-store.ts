import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import type { SessionRecord, SessionStore } from '../ports/session-store.js'
import type { ConformanceOptions, Declare, StoreFactory } from './store-kit.js'
import { atOnce, HOSTILE_TEXTS, past, storeKit } from './store-kit.js'

const MINUTE_MS = 60_000
const tagText = () => randomBytes(16).toString('base64url')
const digestText = () => randomBytes(32).toString('base64url')

/** A plausible record, live for half an hour. */
const record = (changes: Partial<SessionRecord> = {}): SessionRecord => {
  const now = Date.now()
  return {
    handle: digestText(),
    userId: `s:${randomUUID()}`,
    epoch: tagText(),
    csrfDigest: digestText(),
    createdAtMs: now,
    lastActivityAtMs: now,
    idleMs: 30 * MINUTE_MS,
    absoluteExpiresAtMs: now + 24 * 60 * MINUTE_MS,
    authenticatedAtMs: now,
    sudoUntilMs: 0,
    remember: false,
    device: 'Firefox 140 on Linux',
    ip: '192.0.2.7',
    metadata: '',
    ...changes,
  }
}

const handlesOf = (records: readonly SessionRecord[]) => records.map(({ handle }) => handle)
const sorted = (texts: readonly string[]) => [...texts].sort()

/** Declares the tests that every `SessionStore` must pass. `factory` gives an empty store for each of them. */
export function sessionStoreConformance(factory: StoreFactory<SessionStore>, options: ConformanceOptions = {}): void {
  const declare = storeKit(factory, options, 'session store')
  keeping(declare)
  making(declare)
  updating(declare)
  ending(declare)
  expiring(declare)
  racing(declare)
}

function keeping(declare: Declare<SessionStore>) {
  declare('a session reads back exactly as it was created', async (store) => {
    const tag = tagText()
    const plain = record()
    const full = record({ remember: true, sudoUntilMs: Date.now() + MINUTE_MS, metadata: '{"tenant":"a|b"}', ip: '2001:db8::1' })
    assert.deepEqual(await store.create(tag, plain, 5), [])
    assert.deepEqual(await store.create(tag, full, 5), [])
    assert.deepEqual({ ...(await store.read(tag, plain.handle)) }, plain)
    assert.deepEqual({ ...(await store.read(tag, full.handle)) }, full)
    assert.deepEqual((await store.list(tag)).map((found) => ({ ...found })).sort(byHandle), [plain, full].sort(byHandle))
  })

  declare('texts of any kind come back unchanged, also after an update', async (store) => {
    for (const text of HOSTILE_TEXTS) {
      const tag = tagText()
      const odd = record({ userId: text, epoch: text, csrfDigest: text, ip: text, device: text, metadata: text })
      await store.create(tag, odd, 5)
      assert.deepEqual({ ...(await store.read(tag, odd.handle)) }, odd)
      assert.equal(await store.update(tag, odd.handle, { sudoUntilMs: 5, epoch: `${text}2` }, { csrfDigest: text }), true)
      const expected = { ...odd, sudoUntilMs: 5, epoch: `${text}2` }
      assert.deepEqual({ ...(await store.read(tag, odd.handle)) }, expected)
      assert.deepEqual({ ...(await store.list(tag))[0] }, expected)
      assert.equal(await store.revokeAll(tag, { handle: odd.handle, epoch: text }), 0)
      assert.deepEqual({ ...(await store.read(tag, odd.handle)) }, { ...expected, epoch: text })
    }
  })

  declare('empty texts and the largest and smallest times come back unchanged', async (store) => {
    const tag = tagText()
    const largest = record({
      idleMs: Number.MAX_SAFE_INTEGER - 2 * Date.now(),
      absoluteExpiresAtMs: Number.MAX_SAFE_INTEGER,
      sudoUntilMs: Number.MAX_SAFE_INTEGER,
    })
    const smallest = record({ createdAtMs: 0, authenticatedAtMs: 0, epoch: '', csrfDigest: '', device: '', ip: '', userId: '' })
    await store.create(tag, largest, 5)
    await store.create(tag, smallest, 5)
    assert.deepEqual({ ...(await store.read(tag, largest.handle)) }, largest)
    assert.deepEqual({ ...(await store.read(tag, smallest.handle)) }, smallest)
    assert.equal(await store.update(tag, largest.handle, { sudoUntilMs: Number.MAX_SAFE_INTEGER - 1 }), true)
    assert.equal((await store.read(tag, largest.handle))?.sudoUntilMs, Number.MAX_SAFE_INTEGER - 1)
  })

  declare('an unknown user and an unknown handle have nothing', async (store) => {
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

  declare('sessions of one user are out of reach of another', async (store) => {
    const [mine, yours] = [tagText(), tagText()]
    const [my, your] = [record(), record()]
    await store.create(mine, my, 1)
    await store.create(yours, your, 1)
    assert.equal(await store.revoke(mine, your.handle), false)
    assert.equal(await store.revokeAll(mine), 1)
    assert.deepEqual(handlesOf(await store.list(yours)), [your.handle])
  })
}

const byHandle = (a: SessionRecord, b: SessionRecord) => (a.handle < b.handle ? -1 : 1)

function making(declare: Declare<SessionStore>) {
  declare('beyond the cap the least recently active give way, and are named', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const ages = [3, 1, 5, 2, 4]
    const records = ages.map((minutes) => record({ lastActivityAtMs: now - minutes * MINUTE_MS, createdAtMs: now - 10 * MINUTE_MS }))
    for (const one of records) assert.deepEqual(await store.create(tag, one, 5), [])
    const newest = record()
    assert.deepEqual(await store.create(tag, newest, 5), [records[2]?.handle])
    assert.equal(await store.read(tag, records[2]?.handle ?? ''), null)
    const last = record()
    assert.deepEqual(
      sorted(await store.create(tag, last, 3)),
      sorted([records[0]?.handle ?? '', records[3]?.handle ?? '', records[4]?.handle ?? '']),
    )
    assert.deepEqual(sorted(handlesOf(await store.list(tag))), sorted([records[1]?.handle ?? '', newest.handle, last.handle]))
  })

  declare('activity written by an update decides who gives way', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const touched = record({ lastActivityAtMs: now - 9 * MINUTE_MS })
    const idle = record({ lastActivityAtMs: now - 5 * MINUTE_MS })
    await store.create(tag, touched, 2)
    await store.create(tag, idle, 2)
    await store.update(tag, touched.handle, { lastActivityAtMs: now - MINUTE_MS })
    assert.deepEqual(await store.create(tag, record(), 2), [idle.handle])
  })

  declare('the new session never gives way, however long ago it was active and whatever the cap', async (store) => {
    const tag = tagText()
    const before = record()
    await store.create(tag, before, 5)
    const old = record({ lastActivityAtMs: Date.now() - 20 * MINUTE_MS })
    assert.deepEqual(await store.create(tag, old, 1), [before.handle])
    assert.deepEqual(handlesOf(await store.list(tag)), [old.handle])
    const next = record()
    assert.deepEqual(await store.create(tag, next, 0), [old.handle])
    assert.deepEqual(handlesOf(await store.list(tag)), [next.handle])
  })

  declare('a cap of Infinity lets every session live', async (store) => {
    const tag = tagText()
    await atOnce(200, async () => assert.deepEqual(await store.create(tag, record(), Number.POSITIVE_INFINITY), []))
    assert.equal((await store.list(tag)).length, 200)
  })

  declare('a session that is over before it begins is not stored and makes nobody give way', async (store) => {
    const tag = tagText()
    const live = record()
    await store.create(tag, live, 1)
    const now = Date.now()
    for (const dead of [record({ absoluteExpiresAtMs: now - 1 }), record({ lastActivityAtMs: now - MINUTE_MS, idleMs: 1000 })]) {
      assert.deepEqual(await store.create(tag, dead, 1), [])
      assert.equal(await store.read(tag, dead.handle), null)
    }
    assert.deepEqual(handlesOf(await store.list(tag)), [live.handle])
  })

  declare('the list names the most recently active first', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const records = [4, 2, 6, 1, 3].map((minutes) => record({ lastActivityAtMs: now - minutes * MINUTE_MS }))
    for (const one of records) await store.create(tag, one, 10)
    const expected = [...records].sort((a, b) => b.lastActivityAtMs - a.lastActivityAtMs)
    assert.deepEqual(handlesOf(await store.list(tag)), handlesOf(expected))
    await store.update(tag, expected[4]?.handle ?? '', { lastActivityAtMs: now })
    assert.equal((await store.list(tag))[0]?.handle, expected[4]?.handle)
  })
}

function updating(declare: Declare<SessionStore>) {
  declare('an update changes the fields it names and no other', async (store) => {
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

  declare('an update can empty a text and take sudo back', async (store) => {
    const tag = tagText()
    const one = record({ sudoUntilMs: Date.now() + MINUTE_MS })
    await store.create(tag, one, 5)
    assert.equal(await store.update(tag, one.handle, { csrfDigest: '', sudoUntilMs: 0 }), true)
    assert.deepEqual({ ...(await store.read(tag, one.handle)) }, { ...one, csrfDigest: '', sudoUntilMs: 0 })
  })

  declare('activity never goes backwards, and the rest of such an update is written', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    assert.equal(await store.update(tag, one.handle, { lastActivityAtMs: one.lastActivityAtMs - 1000, epoch: 'x' }), true)
    assert.deepEqual({ ...(await store.read(tag, one.handle)) }, { ...one, epoch: 'x' })
  })

  declare('an update with expectations happens only when each of them holds', async (store) => {
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
    for (const expected of wrong) assert.equal(await store.update(tag, one.handle, { epoch: 'other' }, expected), false)
    assert.deepEqual({ ...(await store.read(tag, one.handle)) }, one)
    const { csrfDigest, epoch, sudoUntilMs, lastActivityAtMs, authenticatedAtMs } = one
    const all = { csrfDigest, epoch, sudoUntilMs, lastActivityAtMs, authenticatedAtMs }
    assert.equal(await store.update(tag, one.handle, { epoch: 'other' }, all), true)
    assert.equal((await store.read(tag, one.handle))?.epoch, 'other')
  })
}

function ending(declare: Declare<SessionStore>) {
  declare('a revoked session is gone, the second time there is none, and the others live', async (store) => {
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
  })

  declare('revoking all ends every session and says how many', async (store) => {
    const tag = tagText()
    const records = [record(), record(), record()]
    for (const one of records) await store.create(tag, one, 5)
    assert.equal(await store.revokeAll(tag), 3)
    assert.equal(await store.revokeAll(tag), 0)
    assert.deepEqual(await store.list(tag), [])
    for (const { handle } of records) assert.equal(await store.read(tag, handle), null)
  })

  declare('revoking all but one keeps that one, with a new epoch when given and nothing else changed', async (store) => {
    const tag = tagText()
    const kept = record({ metadata: '{"a":1}' })
    for (const one of [record(), kept, record()]) await store.create(tag, one, 5)
    assert.equal(await store.revokeAll(tag, { handle: kept.handle, epoch: 'epoch2' }), 2)
    assert.deepEqual({ ...(await store.read(tag, kept.handle)) }, { ...kept, epoch: 'epoch2' })
    assert.equal(await store.revokeAll(tag, { handle: kept.handle }), 0)
    assert.deepEqual((await store.list(tag)).map((found) => ({ ...found })), [{ ...kept, epoch: 'epoch2' }])
  })

  declare('revoking all but an unknown one ends all', async (store) => {
    const tag = tagText()
    await store.create(tag, record(), 5)
    const unknown = digestText()
    assert.equal(await store.revokeAll(tag, { handle: unknown, epoch: 'x' }), 1)
    assert.equal(await store.read(tag, unknown), null)
    assert.deepEqual(await store.list(tag), [])
  })
}

function expiring(declare: Declare<SessionStore>) {
  /** Two sessions that end in `ms`, one by each limit, and one that lives. */
  const dying = async (store: SessionStore, tag: string, ms: number) => {
    const now = Date.now()
    const idle = record({ lastActivityAtMs: now - MINUTE_MS, idleMs: MINUTE_MS + ms })
    const absolute = record({ absoluteExpiresAtMs: now + ms })
    const living = record({ lastActivityAtMs: now - MINUTE_MS })
    for (const one of [idle, absolute, living]) await store.create(tag, one, 5)
    return { idle, absolute, living, endMs: now + ms }
  }

  declare('a session past its idle window or its lifetime is not read, updated, listed or counted', async (store) => {
    const tag = tagText()
    const { idle, absolute, living, endMs } = await dying(store, tag, 300)
    await past(endMs)
    for (const { handle } of [idle, absolute]) {
      assert.equal(await store.read(tag, handle), null)
      assert.equal(await store.update(tag, handle, { lastActivityAtMs: Date.now() }), false)
      assert.equal(await store.read(tag, handle), null)
    }
    assert.deepEqual(handlesOf(await store.list(tag)), [living.handle])
    for (const { handle } of [idle, absolute]) assert.equal(await store.revoke(tag, handle), false)
    assert.equal(await store.revokeAll(tag), 1)
  })

  declare('ended sessions take no place under the cap and are not named among those that gave way', async (store) => {
    const tag = tagText()
    const { living, endMs } = await dying(store, tag, 300)
    await past(endMs)
    assert.deepEqual(await store.create(tag, record(), 2), [])
    assert.deepEqual(await store.create(tag, record(), 2), [living.handle])
  })

  declare('an ended session is not counted by revokeAll, nor kept by it', async (store) => {
    const tag = tagText()
    const { idle, endMs } = await dying(store, tag, 300)
    await past(endMs)
    assert.equal(await store.revokeAll(tag, { handle: idle.handle, epoch: 'x' }), 1)
    assert.equal(await store.read(tag, idle.handle), null)
    assert.deepEqual(await store.list(tag), [])
  })

  declare('activity extends the idle window, in the store too', async (store) => {
    const tag = tagText()
    const now = Date.now()
    // Alone under its tag: nothing else keeps its user's key.
    const one = record({ lastActivityAtMs: now - MINUTE_MS, idleMs: MINUTE_MS + 1500 })
    await store.create(tag, one, 5)
    assert.equal(await store.update(tag, one.handle, { lastActivityAtMs: now }), true)
    await past(now + 1500)
    assert.equal((await store.read(tag, one.handle))?.lastActivityAtMs, now)
    assert.deepEqual(handlesOf(await store.list(tag)), [one.handle])
  })

  declare('activity does not extend the lifetime', async (store) => {
    const tag = tagText()
    const now = Date.now()
    const one = record({ absoluteExpiresAtMs: now + 400 })
    await store.create(tag, one, 5)
    await store.update(tag, one.handle, { lastActivityAtMs: now + 300 })
    await past(now + 400)
    assert.equal(await store.read(tag, one.handle), null)
  })

  declare('a short session does not shorten the life of a longer one', async (store) => {
    const tag = tagText()
    const long = record()
    await store.create(tag, long, 5)
    const now = Date.now()
    await store.create(tag, record({ absoluteExpiresAtMs: now + 200 }), 5)
    await past(now + 200)
    assert.deepEqual({ ...(await store.read(tag, long.handle)) }, long)
    assert.deepEqual(handlesOf(await store.list(tag)), [long.handle])
  })
}

function racing(declare: Declare<SessionStore>) {
  declare('the cap is exact under 100 parallel creations', async (store) => {
    const tag = tagText()
    const records = Array.from({ length: 100 }, () => record())
    const evicted = (await atOnce(100, (i) => store.create(tag, records[i] as SessionRecord, 5))).flat()
    const live = handlesOf(await store.list(tag))
    assert.equal(live.length, 5)
    assert.equal(evicted.length, 95)
    assert.deepEqual(sorted([...live, ...evicted]), sorted(handlesOf(records)))
  })

  declare('100 parallel updates of different fields lose none of them', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const later = Date.now() + 100
    const answers = await atOnce(100, (i) => {
      const patches = [{ csrfDigest: 'csrf' }, { sudoUntilMs: 42 }, { epoch: 'epoch' }, { authenticatedAtMs: 43 }]
      return store.update(tag, one.handle, patches[i % 5] ?? { lastActivityAtMs: later - i })
    })
    assert.ok(answers.every(Boolean))
    assert.deepEqual(
      { ...(await store.read(tag, one.handle)) },
      { ...one, csrfDigest: 'csrf', sudoUntilMs: 42, epoch: 'epoch', authenticatedAtMs: 43, lastActivityAtMs: later - 4 },
    )
  })

  declare('of 100 parallel updates with one expectation exactly one happens', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const answers = await atOnce(100, (i) =>
      store.update(tag, one.handle, { csrfDigest: `new${i}` }, { csrfDigest: one.csrfDigest }),
    )
    assert.equal(answers.filter(Boolean).length, 1)
    assert.equal((await store.read(tag, one.handle))?.csrfDigest, `new${answers.indexOf(true)}`)
  })

  declare('of 100 parallel revocations of one session exactly one ended it', async (store) => {
    const tag = tagText()
    const one = record()
    await store.create(tag, one, 5)
    const answers = await atOnce(100, () => store.revoke(tag, one.handle))
    assert.equal(answers.filter(Boolean).length, 1)
  })

  declare('updates that race a revocation never bring the session back', async (store) => {
    for (const revoke of [
      (tag: string, handle: string) => store.revoke(tag, handle),
      (tag: string) => store.revokeAll(tag),
    ]) {
      const tag = tagText()
      const one = record()
      await store.create(tag, one, 5)
      const answers = await atOnce<boolean | number>(100, (i) =>
        i === 50 ? revoke(tag, one.handle) : store.update(tag, one.handle, { lastActivityAtMs: Date.now() + i }),
      )
      assert.equal(Number(answers[50]), 1)
      assert.equal(await store.read(tag, one.handle), null)
      assert.deepEqual(await store.list(tag), [])
    }
  })
}
