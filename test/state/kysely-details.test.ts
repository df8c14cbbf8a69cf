import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type LogEvent, sql } from 'kysely'
import { memoryUsers } from '../../src/index.js'
import { kyselyState } from '../../src/state/kysely/index.js'
import { record } from '../../src/testing/sessions/records.js'
import { asBearer, askRefresh, askToken, bearerApp, tokensOf } from '../helpers/bearer.js'
import { build, limitsOff } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { deviceCookie, noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { type SqlPlace, sqlPlaces } from '../helpers/sql-places.js'
import { createTables } from '../helpers/state.js'
import { newTables } from '../helpers/tables.js'

const limits = { timeoutMs: 10_000, log: () => {} }
const minuteMs = 60_000

/** Tables of a test, and states on them. Each state has connections of its own, like a process. */
async function setUp(t: TestContext, place: SqlPlace) {
  const open = place.opener(t)
  const tables = newTables()
  const db = open()
  await createTables(db, place.dialect, tables)
  const state = (log?: (event: LogEvent) => void) => {
    const made = kyselyState(open(log ? { log } : {}), { tables, purgeSeconds: 0 })
    made.start?.(limits)
    return made
  }
  const rows = async (table: 'store' | 'counters') =>
    (await sql<Record<string, unknown>>`select * from ${sql.table(tables[table])}`.execute(db)).rows
  return { open, db, tables, state, rows }
}

/** Counts the statements on the state tables, without transaction control and locks. */
function statementCounter(tables: Record<string, string>) {
  const seen: string[] = []
  return {
    log: (event: LogEvent) => {
      if (Object.values(tables).some((name) => event.query.sql.includes(name)))
        seen.push(event.query.sql)
    },
    async of(run: () => Promise<unknown>): Promise<number> {
      const before = seen.length
      await run()
      return seen.length - before
    },
  }
}

for (const place of sqlPlaces) {
  const { name, skip } = place

  test(`${name}: statements of each request`, { skip }, async (t) => {
    const { tables, state } = await setUp(t, place)
    const counter = statementCounter(tables)
    const app = await build(t, {
      auth: {
        state: state(counter.log),
        lockout: { maxAttempts: 100 },
        timeouts: { stateMs: 10_000 },
        rateLimits: limitsOff,
      },
    })
    const client = await signedIn(app, 'ann')
    const fresh = new Client(app)
    const signIn = (by: Client) => async () => {
      assert.equal((await by.login('ann')).statusCode, 200)
    }
    assert.equal(await counter.of(signIn(fresh)), 3, 'a first sign-in')
    for (let i = 0; i < 6; i += 1)
      assert.equal(await counter.of(signIn(new Client(app))), 3, 'with and without evictions')
    const again = new Client(app)
    const device = client.cookies.get(deviceCookie)
    assert.ok(device)
    again.cookies.set(deviceCookie, device)
    assert.equal(await counter.of(signIn(again)), 4, 'a sign-in on a known device')
    assert.equal(await counter.of(() => again.get('/me')), 1, 'a session')
    assert.equal(await counter.of(() => app.inject('/me')), 0, 'no session')
    assert.equal(await counter.of(() => again.get('/sessions')), 2, 'a list')
    assert.equal(
      await counter.of(() => new Client(app).login('ann', 'wrong')),
      1,
      'a wrong password',
    )
    assert.equal(await counter.of(() => again.post('/logout')), 2, 'a sign-out')
  })

  test(`${name}: statements of each request with a bearer token`, { skip }, async (t) => {
    const { tables, state } = await setUp(t, place)
    const counter = statementCounter(tables)
    const app = await bearerApp(
      t,
      null,
      {},
      {
        state: state(counter.log),
        timeouts: { stateMs: 10_000 },
        rateLimits: limitsOff,
      },
    )
    await new Client(app).register('ann')
    let tokens = tokensOf(await askToken(app))
    const signIn = async () => {
      tokens = tokensOf(await askToken(app))
    }
    const refresh = async () => {
      tokens = tokensOf(await askRefresh(app, tokens.refresh_token))
    }
    assert.equal(await counter.of(signIn), 3)
    assert.equal(await counter.of(refresh), 3)
    const me = () => asBearer(app, tokens.access_token)
    assert.equal(await counter.of(me), 0)
    assert.equal((await me()).statusCode, 200)
  })

  test(`${name}: expired rows count as absent before they are purged`, { skip }, async (t) => {
    const { db, tables, state, rows } = await setUp(t, place)
    const { sessions, oneTime, counters, purge } = state()
    const [one, other] = [record(), record()]
    for (const each of [one, other]) await sessions.create('tag', each, 5)
    await oneTime.put('key', 'value', minuteMs, 'group')
    await oneTime.put('alone', 'value', minuteMs)
    await counters.hit('window', minuteMs)
    await sql`update ${sql.table(tables.store)} set expires_at = 5`.execute(db)
    await sql`update ${sql.table(tables.counters)} set expires_at = 5`.execute(db)
    assert.equal(await sessions.read('tag', one.handle), null)
    assert.equal(await sessions.update('tag', one.handle, { epoch: 'x' }), false)
    assert.equal(await sessions.update('tag', one.handle, { lastActivityAtMs: 1 }), false)
    assert.equal(await sessions.revoke('tag', one.handle), false)
    assert.deepEqual(await sessions.list('tag'), [])
    assert.equal(await sessions.revokeAll('tag', { handle: one.handle, epoch: 'x' }), 0)
    assert.equal(await oneTime.peek('key', 'group'), null)
    assert.equal(await oneTime.take('alone'), null)
    assert.equal(await oneTime.revokeGroup('group'), 0)
    assert.equal((await rows('store')).length, 4, 'they are still there')
    assert.deepEqual(await sessions.create('tag', record(), 1), [], 'they are not evicted')
    assert.equal((await counters.hit('window', minuteMs)).count, 1)
    assert.equal(await purge(), 4)
    assert.deepEqual([(await rows('store')).length, (await rows('counters')).length], [1, 1])
  })

  test(`${name}: a purge deletes thousands of rows in batches and leaves live ones`, {
    skip,
  }, async (t) => {
    const { tables, db, state, rows } = await setUp(t, place)
    const statements: string[] = []
    const { oneTime, sessions, purge } = state(({ query }) => void statements.push(query.sql))
    const live = record()
    await sessions.create('tag', live, 5)
    await oneTime.put('live', 'value', minuteMs)
    for (let from = 0; from < 1200; from += 300) {
      const values = times(300, (i) => sql`(${`x${from + i}`}, '', null, 1, ${sql.lit(from + i)})`)
      await sql`insert into ${sql.table(tables.store)} values ${sql.join(values)}`.execute(db)
    }
    statements.length = 0
    assert.equal(await purge(), 1200)
    const deletions = statements.filter((text) => text.includes(tables.store))
    assert.equal(deletions.length, 3)
    assert.equal((await rows('store')).length, 2)
    assert.equal((await sessions.read('tag', live.handle))?.handle, live.handle)
    assert.equal(await purge(), 0)
  })

  test(`${name}: the plugin purges at its interval until the last app has closed`, {
    skip,
  }, async (t) => {
    noUnhandledRejections(t)
    const { open, db, tables, rows } = await setUp(t, place)
    const state = kyselyState(open(), { tables, purgeSeconds: 1 })
    const logged: string[] = []
    const app = await build(t, { auth: { state } })
    const context = { timeoutMs: 10_000, log: (message: string) => void logged.push(message) }
    const stop = state.start?.(context)
    const expired = () =>
      sql`insert into ${sql.table(tables.store)} values ('old', '', null, 1, 5)`.execute(db)
    const isPurged = async () => {
      for (let i = 0; i < 100; i += 1) {
        if ((await rows('store')).length === 0) return true
        await delay(50)
      }
      return false
    }
    await expired()
    assert.ok(await isPurged())
    await app.close()
    await expired()
    assert.ok(await isPurged(), 'another app still uses it')
    await stop?.()
    await expired()
    await delay(1200)
    assert.equal((await rows('store')).length, 1)
  })

  test(`${name}: processes share state exactly: cap, one-time values, attempts, updates`, {
    skip,
  }, async (t) => {
    const { state } = await setUp(t, place)
    const states = [state(), state(), state()]
    const one = <T>(i: number, call: (of: (typeof states)[number]) => Promise<T>) =>
      call(states[i % states.length] as (typeof states)[number])
    const all = <T>(call: (of: (typeof states)[number], i: number) => Promise<T>) =>
      Promise.all(times(100, (i) => one(i, (each) => call(each, i))))
    const [first] = states as [(typeof states)[number]]

    const evicted = (await all(({ sessions }) => sessions.create('tag', record(), 5))).flat()
    assert.equal((await first.sessions.list('tag')).length, 5)
    assert.equal(new Set(evicted).size, 95)

    await first.oneTime.put('key', 'prize', minuteMs)
    const taken = await all(({ oneTime }) => oneTime.take('key'))
    assert.deepEqual(
      taken.filter((value) => value !== null),
      ['prize'],
    )

    const budget = { windowMs: minuteMs, lockMs: minuteMs, maxLockMs: minuteMs }
    const wide = { ...budget, key: 'wide', maxAttempts: 9 }
    const tight = { ...budget, key: 'tight', maxAttempts: 4 }
    const judged = await all(({ counters }) => counters.attempt([wide, tight]))
    const passes = (at: number) => judged.filter((each) => (each[at]?.count ?? 0) > 0).length
    const locks = (at: number) => judged.filter((each) => each[at]?.lockedNow).length
    assert.deepEqual([passes(0), passes(1), locks(0), locks(1)], [9, 4, 1, 1])

    const hits = await all(({ counters }) => counters.hit('window', minuteMs))
    assert.equal(new Set(hits.map(({ count }) => count)).size, 100)

    const [live] = await first.sessions.list('tag')
    assert.ok(live)
    const { csrfDigest, handle } = live
    const updated = await all(({ sessions }, i) =>
      sessions.update('tag', handle, { csrfDigest: `new${i}` }, { csrfDigest }),
    )
    assert.equal(updated.filter(Boolean).length, 1)
  })

  test(`${name}: two apps without Redis share sessions, lockouts and limits; a restart keeps them`, {
    skip,
  }, async (t) => {
    const { state } = await setUp(t, place)
    const users = memoryUsers()
    const auth = {
      users,
      lockout: { maxAttempts: 7, maxAttemptsPerIp: 1000 },
      timeouts: { stateMs: 10_000 },
    }
    const [first, second] = [
      await build(t, { auth: { ...auth, state: state() } }),
      await build(t, { auth: { ...auth, state: state() } }),
    ]
    const client = await signedIn(first, 'ann')
    const there = new Client(second)
    for (const [cookie, value] of client.cookies) there.cookies.set(cookie, value)
    there.csrf = client.csrf
    assert.equal((await there.get('/me')).json().username, 'ann')
    await first.close()
    const restarted = await build(t, { auth: { ...auth, state: state() } })
    const kept = new Client(restarted)
    for (const [cookie, value] of client.cookies) kept.cookies.set(cookie, value)
    assert.equal((await kept.get('/me')).json().username, 'ann', 'after a restart')
    const guesses = await Promise.all(
      times(100, (i) => new Client(i % 2 ? second : restarted).login('ann', 'wrong')),
    )
    assert.deepEqual(statuses(guesses), { 401: 7, 429: 93 })
    assert.equal((await there.post('/logout')).statusCode, 200)
    assert.equal((await kept.get('/me')).statusCode, 401)
  })

  test(`${name}: keys are compared byte by byte`, { skip }, async (t) => {
    const { db, tables } = await setUp(t, place)
    const table = sql.table(tables.store)
    for (const key of ['a', 'A', 'a '])
      await sql`insert into ${table} values (${key}, ${key}, null, 1, 5)`.execute(db)
    const { rows } = await sql<{ value: string }>`select ${sql.ref('value')} from ${table}
      where ${sql.ref('key')} = 'A'`.execute(db)
    assert.deepEqual(rows, [{ value: 'A' }])
  })
}

for (const place of sqlPlaces.filter(({ dialect }) => dialect !== 'sqlite')) {
  test(`${place.name}: a creation that was given up releases the lock of its user`, {
    skip: place.skip,
  }, async (t) => {
    const { db, tables, state } = await setUp(t, place)
    const [impatient, other] = [state(), state()]
    await other.sessions.create('tag', record(), 1)
    impatient.start?.({ ...limits, timeoutMs: 200 })
    const blocker = await db.startTransaction().execute()
    await sql`select * from ${sql.table(tables.store)} for update`.execute(blocker)
    await assert.rejects(impatient.sessions.create('tag', record(), 1), {
      code: 'CRUDAUTH_STATE_UNAVAILABLE',
    })
    await blocker.commit().execute()
    const next = record()
    await other.sessions.create('tag', next, 1)
    assert.deepEqual(
      (await other.sessions.list('tag')).map(({ handle }) => handle),
      [next.handle],
    )
    impatient.start?.(limits)
    await impatient.sessions.create('tag', record(), 1)
    assert.equal((await other.sessions.list('tag')).length, 1)
  })
}

test('PostgreSQL: processes that write the same rows cause no deadlock', {
  skip: sqlPlaces.find(({ dialect }) => dialect === 'postgres')?.skip,
}, async (t) => {
  const place = sqlPlaces.find(({ dialect }) => dialect === 'postgres') as SqlPlace
  // A database of its own, whose statistics are those of this test.
  const open = place.opener(t)
  const name = newTables().store
  const server = open()
  await sql`create database ${sql.id(name)}`.execute(server)
  const url = new URL(place.url)
  url.pathname = `/${name}`
  const tables = newTables()
  await createTables(open({ url: url.href }), 'postgres', tables)
  const states = times(4, () => kyselyState(open({ url: url.href }), { tables, purgeSeconds: 0 }))
  for (const each of states) each.start?.(limits)
  const budgets = times(6, (i) => ({
    ...{ key: `budget${i}`, maxAttempts: 900, windowMs: minuteMs },
    ...{ lockMs: minuteMs, maxLockMs: minuteMs },
  }))
  const keys = budgets.map(({ key }) => key)
  await Promise.all(
    states.map(async ({ counters, sessions }, i) => {
      for (let round = 0; round < 60; round += 1) {
        const isTurned = (i + round) % 2 === 0
        await counters.attempt(isTurned ? budgets : [...budgets].reverse())
        await counters.giveBack(isTurned ? [...keys].reverse() : keys)
        await sessions.create('tag', record(), 3)
        if (round % 5 === i) await sessions.revokeAll('tag')
      }
    }),
  )
  // PostgreSQL writes its statistics at most once a second.
  await delay(1100)
  const { rows } = await sql<{ deadlocks: unknown }>`select deadlocks from pg_stat_database
    where datname = ${name}`.execute(server)
  assert.equal(Number(rows[0]?.deadlocks), 0)
})

test('PostgreSQL: state is exact if serializable is the default isolation level', {
  skip: sqlPlaces.find(({ dialect }) => dialect === 'postgres')?.skip,
}, async (t) => {
  const place = sqlPlaces.find(({ dialect }) => dialect === 'postgres') as SqlPlace
  const { tables, open } = await setUp(t, place)
  const options = encodeURIComponent('-c default_transaction_isolation=serializable')
  const url = `${process.env.TEST_POSTGRES_URL}?options=${options}`
  const isolated = open({ url })
  const { rows } = await sql<{
    level: string
  }>`select current_setting('transaction_isolation') as level`.execute(isolated)
  assert.equal(rows[0]?.level, 'serializable')
  const states = [kyselyState(isolated, { tables }), kyselyState(open({ url }), { tables })]
  for (const each of states) each.start?.(limits)
  await Promise.all(
    times(60, (i) =>
      (states[i % 2] as (typeof states)[number]).sessions.create('tag', record(), 5),
    ),
  )
  assert.equal((await states[0]?.sessions.list('tag'))?.length, 5)
  const budget = {
    key: 'b',
    maxAttempts: 6,
    windowMs: minuteMs,
    lockMs: minuteMs,
    maxLockMs: minuteMs,
  }
  const judged = await Promise.all(
    times(60, (i) => (states[i % 2] as (typeof states)[number]).counters.attempt([budget])),
  )
  assert.equal(judged.filter(([result]) => (result?.count ?? 0) > 0).length, 6)
})
