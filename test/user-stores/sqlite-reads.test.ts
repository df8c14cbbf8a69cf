import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Kysely, type KyselyConfig, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import {
  cachedStatements,
  type KyselyUsersOptions,
  kyselyUsers,
} from '../../src/user-stores/kysely/index.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

interface Settings {
  readonly path?: string
  readonly shape?: Shape
  readonly options?: KyselyUsersOptions
  readonly config?: Partial<KyselyConfig>
}

/** A table with one user, with cached prepared statements. */
async function open(
  t: TestContext,
  { path = ':memory:', shape = 'default', options, config }: Settings = {},
) {
  const database = new Database(path)
  // biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
  const db = new Kysely<any>({
    dialect: new SqliteDialect({
      database: cachedStatements(database as unknown as SqliteDatabase),
    }),
    ...config,
  })
  t.after(() => db.destroy())
  const table = await createUsersTable(db, 'sqlite', shape)
  const users = kyselyUsers(db, { ...table.options, ...options })
  const created = await users.create({ email: 'a@example.com', username: 'anna' })
  const id = created[users.fields.columns.id ?? 'id'] as string | number
  return { database, db, table, users, id, created }
}

const folder = (t: TestContext) => {
  const made = mkdtempSync(join(tmpdir(), 'crudauth-reads-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

for (const shape of ['default', 'legacy', 'minimal'] as const) {
  test(`sqlite, ${shape}: a row is read back as it was created`, async (t) => {
    const opened = await open(t, { shape })
    const { users, id, created } = opened
    assert.deepEqual(await users.findById(id), created)
    assert.deepEqual(Object.keys((await users.findById(id)) ?? {}), Object.keys(created))
    assert.notEqual(
      await users.findById(id),
      await users.findById(id),
      'each read returns a new object',
    )
    assert.equal(await users.findById(typeof id === 'number' ? id + 1 : `${id}x`), null)
    for (const email of ['a@example.com', 'A@example.com']) {
      assert.deepEqual(
        await users.findBy('email', email),
        email === 'a@example.com' ? created : null,
      )
    }
    await users.update(id, { email: 'b@example.com' })
    assert.equal((await users.findById(id))?.[users.fields.columns.email ?? ''], 'b@example.com')
  })
}

test('sqlite: parallel reads each get their own row', async (t) => {
  const { users } = await open(t)
  for (let n = 2; n <= 50; n++) await users.create({ email: `${n}@example.com` })
  const ids = Array.from({ length: 60 }, (_, at) => at + 1)
  const rows = await Promise.all(ids.map((id) => users.findById(id)))
  assert.deepEqual(
    rows.map((row) => row?.id ?? null),
    ids.map((id) => (id <= 50 ? id : null)),
  )
})

test('sqlite: a read waits for the app’s transaction and does not see what is rolled back', async (t) => {
  const opened = await open(t)
  const { db, table, users, id } = opened
  let read: Promise<Record<string, unknown> | null> | undefined
  await assert.rejects(
    db.transaction().execute(async (trx) => {
      await trx.updateTable(table.name).set({ is_superuser: 1 }).execute()
      read = users.findById(id)
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('undo')
    }),
    /undo/,
  )
  assert.equal((await read)?.is_superuser, 0)
})

test('sqlite: a store in a transaction reads its uncommitted writes', async (t) => {
  const { db, table } = await open(t)
  await db.transaction().execute(async (trx) => {
    const users = kyselyUsers(trx, table.options)
    await users.update(1, { plan: 'pro' })
    for (let i = 0; i < 4; i++) assert.equal((await users.findById(1))?.plan, 'pro')
  })
})

test('sqlite: a read during a stream waits for its end and then sees newer commits', async (t) => {
  const path = join(folder(t), 'users.db')
  const opened = await open(t, { path })
  const { db, database, table, users, id } = opened
  database.exec('pragma journal_mode = wal')
  for (let n = 0; n < 300; n++) await users.create({ email: `${n}@example.com` })
  const other = new Database(path)
  t.after(() => other.close())
  let read: Promise<Record<string, unknown> | null> | undefined
  let seen = 0
  for await (const _ of db.selectFrom(table.name).selectAll().stream()) {
    if (seen++ > 0) continue
    other.exec(`update ${table.name} set is_active = 0 where id = ${id}`)
    read = users.findById(id)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(seen, 301)
  assert.equal((await read)?.is_active, 0)
})

test('sqlite: the next read sees what another connection has committed', async (t) => {
  const path = join(folder(t), 'users.db')
  const opened = await open(t, { path })
  const { database, table, users, id } = opened
  database.exec('pragma journal_mode = wal')
  const other = new Database(path)
  t.after(() => other.close())
  for (let version = 1; version <= 5; version++) {
    other.exec(`update ${table.name} set token_version = ${version} where id = ${id}`)
    assert.equal((await users.findById(id))?.token_version, version)
    other.exec(
      `insert into ${table.name} (id, email, created_at, updated_at) values (${100 + version}, '${version}', '', '')`,
    )
    assert.equal((await users.findById(100 + version))?.email, `${version}`)
  }
  // An open read transaction would prevent the WAL from being truncated.
  assert.equal(
    (other.prepare('pragma wal_checkpoint(truncate)').all()[0] as { busy: number }).busy,
    0,
  )
})

test('sqlite: reads stay correct when columns are renamed, dropped and added', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const opened = await open(t)
  const { db, table, users, id } = opened
  await users.update(id, { plan: 'pro' })
  const alter = (change: string) => sql.raw(`alter table ${table.name} ${change}`).execute(db)
  await alter('rename column plan to tariff')
  assert.deepEqual(
    [(await users.findById(id))?.plan, (await users.findById(id))?.tariff],
    [undefined, 'pro'],
  )
  t.mock.timers.tick(1000)
  assert.equal((await users.findById(id))?.tariff, 'pro')
  await alter('drop column tariff')
  await alter("add column plan text default 'basic'")
  for (let i = 0; i < 3; i++) {
    const row = await users.findById(id)
    assert.deepEqual([row?.plan, 'tariff' in (row ?? {})], ['basic', false])
  }
  t.mock.timers.tick(1000)
  assert.ok(await users.findById(id))
  await alter("add column colour text default 'red'")
  t.mock.timers.tick(1000)
  assert.equal((await users.findById(id))?.colour, 'red')
  assert.equal((await users.findById(id))?.colour, 'red')
})

test('sqlite: binary values are read as Kysely reads them', async (t) => {
  const { db, table, users, id } = await open(t)
  await users.update(id, { plan: new Uint8Array([1, 2]) })
  const byKysely = await db
    .selectFrom(table.name)
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  for (let i = 0; i < 3; i++) assert.deepEqual(await users.findById(id), byKysely)
})

test('sqlite: a read fails after the database is closed', async (t) => {
  const { db, users, id, database } = await open(t)
  await db.destroy()
  assert.equal(database.open, false)
  await assert.rejects(users.findById(id), /destroyed/)
})
