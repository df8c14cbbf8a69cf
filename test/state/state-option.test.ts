import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StateStores } from '../../src/index.js'
import { kyselyState, stateTables } from '../../src/state/kysely/index.js'
import { memoryState } from '../../src/state/memory/index.js'
import { build, captureLogs, limitsOff, startAndClose } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'
import { openSqlite } from '../helpers/sqlite.js'

const isConfig = (pattern: RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, 'CRUDAUTH_CONFIG')
  assert.match(error.message, pattern)
  return true
}

/** Stores of an app's own, whose methods a test can replace. */
function ownStores() {
  const { sessions, oneTime, counters } = memoryState()
  return { sessions: { ...sessions }, oneTime: { ...oneTime }, counters: { ...counters } }
}

test('state: together with redis it is refused, with the cure', async () => {
  await assert.rejects(
    startAndClose({ state: ownStores(), redis: 'redis://127.0.0.1:1' }),
    isConfig(/"state" and "redis".*leave one of them out/),
  )
})

for (const value of [null, true, 'postgres://127.0.0.1', 7]) {
  test(`state: ${JSON.stringify(value)} is refused as a configuration error`, async () => {
    await assert.rejects(
      startAndClose({ state: value }),
      isConfig(/^"state" must be kyselyState\(db\)/),
    )
  })
}

test('state: a store that lacks a method is refused, and the message names it', async () => {
  const { take: _, ...oneTime } = ownStores().oneTime
  await assert.rejects(
    startAndClose({ state: { ...ownStores(), oneTime } }),
    isConfig(/"state\.oneTime" lacks the method "take"/),
  )
  await assert.rejects(
    startAndClose({ state: { sessions: ownStores().sessions } }),
    isConfig(/"state\.oneTime" lacks/),
  )
})

test('state: the stores of the app are used, without the warning about memory', async (t) => {
  const { lines, logger } = captureLogs()
  const state = ownStores()
  const app = await build(t, { fastify: { logger }, auth: { state } })
  const client = await signedIn(app, 'ann')
  assert.equal((await client.get('/me')).statusCode, 200)
  const other = await build(t, { auth: { state, users: app.crudAuth.users } })
  const same = new Client(other)
  for (const [name, value] of client.cookies) same.cookies.set(name, value)
  assert.equal((await same.get('/me')).statusCode, 200, 'two apps share the stores')
  assert.deepEqual(
    lines.filter((line) => line.includes('memory of this process')),
    [],
  )
})

const failures: Record<string, () => unknown> = {
  'throws at once': () => {
    throw new Error('driver text with a secret')
  },
  rejects: async () => {
    throw new Error('driver text with a secret')
  },
  'rejects with nothing': () => Promise.reject(undefined),
  'never settles': () => new Promise(() => {}),
}

for (const [how, fail] of Object.entries(failures)) {
  test(`state: a store that ${how} is an outage: 503, logged once, and it recovers`, async (t) => {
    noUnhandledRejections(t)
    const { lines, logger } = captureLogs()
    const state = ownStores()
    const working = { ...state.sessions }
    const counting = { ...state.counters }
    const app = await build(t, {
      fastify: { logger },
      auth: { state, timeouts: { stateMs: 150 }, rateLimits: limitsOff },
    })
    const client = await signedIn(app, 'ann')
    for (const store of [state.sessions, state.counters])
      for (const name of Object.keys(store)) Object.assign(store, { [name]: fail })
    const cookies = [...client.cookies]
    for (const answer of await Promise.all([
      client.get('/me'),
      client.post('/logout'),
      client.get('/sessions'),
      new Client(app).login('ann'),
    ])) {
      refuses(answer, 'CRUDAUTH_UNAVAILABLE', ['driver text'])
      assert.equal(answer.headers['retry-after'], '1')
      assert.equal(answer.headers['set-cookie'], undefined)
    }
    assert.deepEqual([...client.cookies], cookies, 'nobody is signed out')
    await assert.rejects(app.sessionStore.read('tag', 'handle'), { statusCode: 503 })
    Object.assign(state.sessions, working)
    Object.assign(state.counters, counting)
    assert.equal((await client.get('/me')).statusCode, 200)
    const told = (text: string) => lines.filter((line) => line.includes(text)).length
    assert.deepEqual(
      [told('shared state is unreachable'), told('shared state is reachable again')],
      [1, 1],
    )
  })
}

test('state: a store that fails in background work fails no request and ends no process', async (t) => {
  noUnhandledRejections(t)
  const state = ownStores()
  const app = await build(t, { auth: { state } })
  const client = await signedIn(app, 'ann')
  let touches = 0
  Object.assign(state.sessions, {
    update() {
      touches += 1
      throw new Error('touch')
    },
  })
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 10 * 60_000 })
  assert.equal((await client.get('/me')).statusCode, 200)
  assert.ok(touches > 0, 'activity was written')
})

test('state: start, verify and the end are called once each, and the end at close', async () => {
  const calls: string[] = []
  const state: StateStores = {
    ...ownStores(),
    start({ timeoutMs }) {
      calls.push(`start ${timeoutMs}`)
      return async () => void calls.push('stop')
    },
    async verify() {
      calls.push('verify')
    },
  }
  await startAndClose({ state, timeouts: { stateMs: 70 } })
  assert.deepEqual(calls, ['start 70', 'verify', 'stop'])
})

test('state: a start that returns a promise ends no process, and its end is awaited', async (t) => {
  noUnhandledRejections(t)
  const { lines, logger } = captureLogs()
  const calls: string[] = []
  const starts = [
    () => Promise.reject(new Error('no connection')),
    async () => () => void calls.push('stop'),
  ]
  for (const start of starts) {
    const state = { ...ownStores(), start } as unknown as StateStores
    const app = await build(t, { fastify: { logger }, auth: { state } })
    await new Promise((resolve) => setImmediate(resolve))
    await app.close()
  }
  assert.deepEqual(calls, ['stop'])
  assert.equal(lines.filter((line) => line.includes('could not start its work')).length, 1)
})

test('state: the app starts if the stores cannot be verified, with a warning', async (t) => {
  const { lines, logger } = captureLogs()
  for (const verify of [() => new Promise<void>(() => {}), () => Promise.reject(new Error('no'))])
    await build(t, {
      fastify: { logger },
      auth: { state: { ...ownStores(), verify }, timeouts: { stateMs: 50 } },
    })
  assert.equal(lines.filter((line) => line.includes('could not verify the shared state')).length, 2)
})

test('kyselyState: a database without its tables stops the start, and the error names the cure', async (t) => {
  const db = openSqlite()
  t.after(() => db.destroy())
  await assert.rejects(
    startAndClose({ state: kyselyState(db) }),
    isConfig(
      /"crudauth_store" or "crudauth_counters".*fastify-crudauth schema --no-users --features/,
    ),
  )
  const partly = openSqlite(':memory:', stateTables('sqlite').slice(0, 1))
  t.after(() => partly.destroy())
  await assert.rejects(
    startAndClose({ state: kyselyState(partly) }),
    isConfig(/table "crudauth_counters"/),
  )
})

test('kyselyState: the connection stays open when the app closes', async (t) => {
  const db = openSqlite(':memory:', stateTables('sqlite'))
  t.after(() => db.destroy())
  await startAndClose({ state: kyselyState(db) })
  assert.equal(await kyselyState(db).purge(), 0)
})

test('kyselyState: invalid options are refused as configuration errors', async (t) => {
  const db = openSqlite()
  t.after(() => db.destroy())
  for (const [options, pattern] of [
    [{ purgeSeconds: -1 }, /"purgeSeconds" must be a whole number/],
    [{ purgeSeconds: 1.5 }, /"purgeSeconds"/],
    [{ table: 'x' }, /has no option "table"/],
    [{ tables: { stor: 'x' } }, /has no option "stor"/],
    [{ tables: { store: 'a b' } }, /"tables\.store" of kyselyState/],
    [{ tables: { store: 'x"; drop table users; --' } }, /"tables\.store"/],
    [{ tables: { store: 'same', counters: 'same' } }, /two different tables/],
    [{ dialect: 'oracle' }, /"dialect" must be/],
  ] as const)
    assert.throws(() => kyselyState(db, options as never), isConfig(pattern))
  assert.throws(
    () => kyselyState({} as never),
    isConfig(/kyselyState\(db\) needs a Kysely instance/),
  )
  await db
    .transaction()
    .execute(async (trx) => assert.throws(() => kyselyState(trx), isConfig(/not a transaction/)))
})
