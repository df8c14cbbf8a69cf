import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import { cachedStatements } from '../../src/user-stores/kysely/index.js'

function open(options?: { max?: number }) {
  const database = new Database(':memory:') as unknown as SqliteDatabase & { open: boolean }
  const prepared: string[] = []
  const counting: SqliteDatabase = {
    prepare(text) {
      prepared.push(text)
      return database.prepare(text)
    },
    close: () => database.close(),
  }
  // biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
  const db = new Kysely<any>({
    dialect: new SqliteDialect({ database: cachedStatements(counting, options) }),
  })
  return { database, prepared, db }
}

test('cachedStatements: each statement is prepared once, whatever its parameters', async (t) => {
  const { db, prepared } = open()
  t.after(() => db.destroy())
  await sql`create table numbers (n integer primary key)`.execute(db)
  for (const n of [1, 2, 3])
    assert.equal(
      (await db.insertInto('numbers').values({ n }).executeTakeFirst()).numInsertedOrUpdatedRows,
      1n,
    )
  for (const n of [4, 5])
    assert.deepEqual(
      await db.insertInto('numbers').values({ n }).returningAll().executeTakeFirst(),
      { n },
    )
  for (const n of [1, 5, 6])
    assert.equal(
      (await db.selectFrom('numbers').selectAll().where('n', '=', n).execute()).length,
      n === 6 ? 0 : 1,
    )
  assert.equal(prepared.length, 4)
})

test('cachedStatements: a statement that failed can be used again', async (t) => {
  const { db } = open()
  t.after(() => db.destroy())
  await sql`create table numbers (n integer primary key)`.execute(db)
  const insert = (n: number) => db.insertInto('numbers').values({ n }).returningAll().execute()
  await insert(1)
  await assert.rejects(insert(1), /UNIQUE/)
  assert.deepEqual(await insert(2), [{ n: 2 }])
})

test('cachedStatements: each iteration has its own statement, so other queries do not reset it', (t) => {
  const raw = new Database(':memory:')
  let preparedCount = 0
  const database = cachedStatements({
    prepare(text) {
      preparedCount++
      return raw.prepare(text) as never
    },
    close: () => raw.close(),
  })
  t.after(() => database.close())
  raw.exec('create table numbers (n integer primary key)')
  for (let n = 0; n < 500; n++) database.prepare('insert into numbers values (?)').run([n])
  const text = 'select n from numbers where n >= ?'
  const seen: number[] = []
  for (const row of database.prepare(text).iterate([0])) {
    const { n } = row as { n: number }
    seen.push(n)
    assert.equal(database.prepare(text).all([n]).length, 500 - n)
    if (n === 250)
      for (const inner of database.prepare(text).iterate([499])) assert.deepEqual(inner, { n: 499 })
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 500 }, (_, n) => n),
  )
  assert.equal(preparedCount, 4, 'insert, select, and one for each iteration')
})

test('cachedStatements: statements prepared earlier see schema changes', async (t) => {
  const { db } = open()
  t.after(() => db.destroy())
  await sql`create table numbers (n integer primary key)`.execute(db)
  await db.insertInto('numbers').values({ n: 1 }).execute()
  const all = () => db.selectFrom('numbers').selectAll().execute()
  assert.deepEqual(await all(), [{ n: 1 }])
  await sql`alter table numbers add column name text default 'x'`.execute(db)
  assert.deepEqual(await all(), [{ n: 1, name: 'x' }])
  await sql`alter table numbers rename to figures`.execute(db)
  await assert.rejects(all(), /no such table/)
  await sql`alter table figures rename to numbers`.execute(db)
  await sql`alter table numbers drop column name`.execute(db)
  assert.deepEqual(await all(), [{ n: 1 }])
})

test('cachedStatements: beyond max, the least recently used statement is dropped', async (t) => {
  const { db, prepared } = open({ max: 2 })
  t.after(() => db.destroy())
  const ask = (n: number) => sql.raw(`select ${n}`).execute(db)
  for (const n of [1, 2, 1, 3, 1, 2]) await ask(n)
  assert.deepEqual(prepared, ['select 1', 'select 2', 'select 3', 'select 2'])
})

test('cachedStatements: destroying Kysely closes the database', async () => {
  const { db, database } = open()
  await sql`select 1`.execute(db)
  await db.destroy()
  assert.equal(database.open, false)
})

for (const sql of [
  'insert into notes (text) values (?)',
  'insert into notes (text) values (?) returning id',
])
  test(`after "${sql}" has found the database locked, later writes are committed`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'crudauth-locked-'))
    const path = join(folder, 'notes.db')
    const [own, other] = [new Database(path), new Database(path)]
    t.after(() => {
      own.close()
      other.close()
      rmSync(folder, { recursive: true })
    })
    own.exec('pragma journal_mode = wal')
    for (const database of [own, other]) database.exec('pragma busy_timeout = 10')
    own.exec('create table notes (id integer primary key, text text)')
    const cached = cachedStatements(own as unknown as SqliteDatabase)
    const first = cached.prepare(sql)
    other.exec('begin immediate')
    assert.throws(() => (first.reader ? first.all(['lost']) : first.run(['lost'])), {
      code: 'SQLITE_BUSY',
    })
    other.exec('commit')
    cached.prepare('insert into notes (text) values (?) -- another').run(['kept'])
    const { all } = cachedStatements(other as unknown as SqliteDatabase).prepare(
      'select text from notes',
    )
    assert.deepEqual(
      (all([]) as { text: string }[]).map(({ text }) => text),
      ['kept'],
    )
    other.exec("insert into notes (text) values ('by another connection')")
  })
