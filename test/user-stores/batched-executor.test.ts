import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  sql,
} from 'kysely'
import Database from 'libsql'
import { batchedExecutor } from '../../src/user-stores/kysely/sqlite/batched-executor.js'

const answerOf = (n: number) => CompiledQuery.raw(`select ${n} as n`, [])

function openSqlite() {
  // biome-ignore lint/suspicious/noExplicitAny: no tables are needed
  const db = new Kysely<any>({
    dialect: new SqliteDialect({ database: new Database(':memory:') as never }),
  })
  return { db, executor: batchedExecutor(db) }
}

/** A driver whose queries end when they are told to, over as many connections as are asked for, or over a single one. */
function openManual(single: boolean) {
  const running: (() => void)[] = []
  const connect = (): DatabaseConnection => ({
    executeQuery: () => new Promise((resolve) => running.push(() => resolve({ rows: [] }))),
    async *streamQuery() {},
  })
  const only = connect()
  const nothing = async () => {}
  const driver: Driver = {
    init: nothing,
    acquireConnection: async () => (single ? only : connect()),
    beginTransaction: nothing,
    commitTransaction: nothing,
    rollbackTransaction: nothing,
    releaseConnection: nothing,
    destroy: nothing,
  }
  const { createIntrospector, createQueryCompiler } = new SqliteDialect({
    database: undefined as never,
  })
  // biome-ignore lint/suspicious/noExplicitAny: no tables are needed
  const db = new Kysely<any>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => new SqliteAdapter(),
      createIntrospector,
      createQueryCompiler,
    },
  })
  return { running, executor: batchedExecutor(db) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('each of many parallel statements gets its own answer', async (t) => {
  const { db, executor } = openSqlite()
  t.after(() => db.destroy())
  for (let round = 0; round < 3; round++) {
    const numbers = Array.from({ length: 100 }, (_, at) => round * 100 + at)
    const results = await Promise.all(
      numbers.map((n) => executor.executeQuery<{ n: number }>(answerOf(n))),
    )
    assert.deepEqual(
      results.map(({ rows }) => rows[0]?.n),
      numbers,
    )
  }
})

test('a statement that fails fails alone', async (t) => {
  const { db, executor } = openSqlite()
  t.after(() => db.destroy())
  for (let round = 0; round < 3; round++) {
    const settled = await Promise.allSettled(
      [1, 2, 3].map((n) =>
        executor.executeQuery(n === 2 ? CompiledQuery.raw('select nonsense', []) : answerOf(n)),
      ),
    )
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  }
})

test('statements wait for a transaction to end, and are answered then', async (t) => {
  const { db, executor } = openSqlite()
  t.after(() => db.destroy())
  for (const n of [1, 2]) await executor.executeQuery(answerOf(n))
  const done: string[] = []
  let waiting: Promise<unknown> | undefined
  await db.transaction().execute(async (trx) => {
    waiting = Promise.all([1, 2, 3].map((n) => executor.executeQuery(answerOf(n)))).then(() =>
      done.push('statements'),
    )
    await turn()
    await sql`select 1`.execute(trx)
    done.push('transaction')
  })
  await waiting
  assert.deepEqual(done, ['transaction', 'statements'])
})

test('without a connection everybody is refused, and what comes later too', async () => {
  const { db, executor } = openSqlite()
  for (const n of [1, 2]) await executor.executeQuery(answerOf(n))
  await db.destroy()
  for (let round = 0; round < 2; round++) {
    const settled = await Promise.allSettled([1, 2].map((n) => executor.executeQuery(answerOf(n))))
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
  }
})

test('over a driver with several connections nobody waits for anybody', async () => {
  const { running, executor } = openManual(false)
  for (let round = 0; round < 3; round++) {
    const all = Promise.all([1, 2, 3].map((n) => executor.executeQuery(answerOf(n))))
    await turn()
    assert.equal(running.length, 3)
    for (const end of running.splice(0)) end()
    await all
  }
})

test('over a single connection statements run one at a time once it is known to be the only one', async () => {
  const { running, executor } = openManual(true)
  for (const n of [1, 2]) {
    const one = executor.executeQuery(answerOf(n))
    await turn()
    running.shift()?.()
    await one
  }
  const all = Promise.all([1, 2, 3].map((n) => executor.executeQuery(answerOf(n))))
  for (let n = 0; n < 3; n++) {
    await turn()
    assert.equal(running.length, 1)
    running.shift()?.()
  }
  await all
})
