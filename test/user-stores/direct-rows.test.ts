import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CamelCasePlugin, Kysely, type KyselyConfig, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import { cachedStatements, type KyselyUsersOptions, kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

interface Settings {
  readonly path?: string
  readonly shape?: Shape
  readonly options?: KyselyUsersOptions
  readonly config?: Partial<KyselyConfig>
}

/** A table with one user, read often enough for its columns to be known, and the texts of what runs past Kysely. */
async function open(t: TestContext, { path = ':memory:', shape = 'default', options, config }: Settings = {}) {
  const database = new Database(path)
  const direct: string[] = []
  let failures = 0
  const watched = {
    prepare(text: string) {
      const statement = database.prepare(text)
      return {
        reader: statement.reader,
        all: (parameters: never) => statement.all(parameters),
        run: (parameters: never) => statement.run(parameters),
        iterate: (parameters: never) => statement.iterate(parameters),
        raw(on: boolean) {
          statement.raw(on)
          const get = (parameters: never) => {
            direct.push(text)
            if (failures-- > 0) throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
            return statement.get(parameters)
          }
          return { get }
        },
      }
    },
    get open() {
      return database.open
    },
    get inTransaction() {
      return database.inTransaction
    },
    close: () => database.close(),
  }
  // biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
  const db = new Kysely<any>({
    dialect: new SqliteDialect({ database: cachedStatements(watched as unknown as SqliteDatabase) }),
    ...config,
  })
  t.after(() => db.destroy())
  const table = await createUsersTable(db, 'sqlite', shape)
  const users = kyselyUsers(db, { ...table.options, ...options })
  const created = await users.create({ email: 'a@example.com', username: 'anna' })
  const id = created[users.fields.columns.id ?? 'id'] as string | number
  for (let i = 0; i < 3; i++) {
    await users.findById(id)
    await new Promise((resolve) => setImmediate(resolve))
  }
  direct.length = 0
  const failNext = () => {
    failures = 1
  }
  return { database, db, table, users, id, direct, created, failNext }
}

/** Whether a read of the row goes past Kysely. */
async function isDirect({ users, id, direct }: Awaited<ReturnType<typeof open>>): Promise<boolean> {
  direct.length = 0
  assert.ok(await users.findById(id))
  return direct.length > 0
}

const folder = (t: TestContext) => {
  const made = mkdtempSync(join(tmpdir(), 'crudauth-direct-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

for (const shape of ['default', 'legacy', 'minimal'] as const) {
  test(`a row read past Kysely is the one that Kysely reads (${shape})`, async (t) => {
    const opened = await open(t, { shape })
    const { users, id, created, direct } = opened
    assert.equal(await isDirect(opened), true)
    assert.deepEqual(await users.findById(id), created)
    assert.deepEqual(Object.keys((await users.findById(id)) ?? {}), Object.keys(created))
    assert.notEqual(await users.findById(id), await users.findById(id), 'each is given a row of their own')
    assert.equal(await users.findById(typeof id === 'number' ? id + 1 : `${id}x`), null)
    direct.length = 0
    for (const email of ['a@example.com', 'A@example.com']) {
      assert.deepEqual(await users.findBy('email', email), email === 'a@example.com' ? created : null)
    }
    assert.equal(direct.length, 2)
    await users.update(id, { email: 'b@example.com' })
    assert.equal((await users.findById(id))?.[users.fields.columns.email ?? ''], 'b@example.com')
    assert.equal(await isDirect(opened), true)
  })
}

test('many reads at once each get the row they asked for, and the same statement serves all', async (t) => {
  const { users, direct } = await open(t)
  for (let n = 2; n <= 50; n++) await users.create({ email: `${n}@example.com` })
  const ids = Array.from({ length: 60 }, (_, at) => at + 1)
  const rows = await Promise.all(ids.map((id) => users.findById(id)))
  assert.deepEqual(
    rows.map((row) => row?.id ?? null),
    ids.map((id) => (id <= 50 ? id : null)),
  )
  assert.equal(new Set(direct).size, 1)
})

test('a read waits for a transaction of the app, and never sees what is undone with it', async (t) => {
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
  assert.equal(await isDirect(opened), true)
})

test('within a transaction the store reads with it', async (t) => {
  const { db, table, direct } = await open(t)
  await db.transaction().execute(async (trx) => {
    const users = kyselyUsers(trx, table.options)
    await users.update(1, { plan: 'pro' })
    for (let i = 0; i < 4; i++) assert.equal((await users.findById(1))?.plan, 'pro')
  })
  assert.deepEqual(direct, [])
})

test('a read waits for an iteration, during which the connection sees what was committed before it alone', async (t) => {
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
  assert.equal(await isDirect(opened), true)
})

test('what another connection has committed is seen by the next read', async (t) => {
  const path = join(folder(t), 'users.db')
  const opened = await open(t, { path })
  const { database, table, users, id } = opened
  database.exec('pragma journal_mode = wal')
  const other = new Database(path)
  t.after(() => other.close())
  for (let version = 1; version <= 5; version++) {
    other.exec(`update ${table.name} set token_version = ${version} where id = ${id}`)
    assert.equal((await users.findById(id))?.token_version, version)
    other.exec(`insert into ${table.name} (id, email, created_at, updated_at) values (${100 + version}, '${version}', '', '')`)
    assert.equal((await users.findById(100 + version))?.email, `${version}`)
  }
  // A read that went on would keep the log from being emptied.
  assert.equal((other.prepare('pragma wal_checkpoint(truncate)').all()[0] as { busy: number }).busy, 0)
  assert.equal(await isDirect(opened), true)
})

test('a read that fails is asked of Kysely, and the next one is not answered by what failed', async (t) => {
  const { users, id, direct, failNext } = await open(t)
  await users.create({ email: 'b@example.com' })
  failNext()
  assert.equal((await users.findById(2))?.email, 'b@example.com')
  assert.equal((await users.findById(id))?.email, 'a@example.com')
  assert.equal(await users.findById(3), null)
  assert.equal(direct.length, 1, 'not tried again at once')
})

test('columns that change are never taken for each other, and a new one is soon seen', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const opened = await open(t)
  const { db, table, users, id } = opened
  await users.update(id, { plan: 'pro' })
  const alter = (change: string) => sql.raw(`alter table ${table.name} ${change}`).execute(db)
  await alter('rename column plan to tariff')
  assert.deepEqual([(await users.findById(id))?.plan, (await users.findById(id))?.tariff], [undefined, 'pro'])
  t.mock.timers.tick(1000)
  assert.equal((await users.findById(id))?.tariff, 'pro')
  assert.equal(await isDirect(opened), true)
  await alter('drop column tariff')
  await alter("add column plan text default 'basic'")
  for (let i = 0; i < 3; i++) {
    const row = await users.findById(id)
    assert.deepEqual([row?.plan, 'tariff' in (row ?? {})], ['basic', false])
  }
  t.mock.timers.tick(1000)
  assert.ok(await users.findById(id))
  assert.equal(await isDirect(opened), true)
  await alter("add column colour text default 'red'")
  t.mock.timers.tick(1000)
  assert.equal((await users.findById(id))?.colour, 'red')
  assert.equal((await users.findById(id))?.colour, 'red')
  assert.equal(await isDirect(opened), true)
})

test('bytes are read as Kysely reads them', async (t) => {
  const { db, table, users, id } = await open(t)
  await users.update(id, { plan: new Uint8Array([1, 2]) })
  const byKysely = await db.selectFrom(table.name).selectAll().where('id', '=', id).executeTakeFirst()
  for (let i = 0; i < 3; i++) assert.deepEqual(await users.findById(id), byKysely)
})

test('Kysely is asked where it logs, where it has plugins, and over a plain database', async (t) => {
  const logged: string[] = []
  assert.equal(await isDirect(await open(t, { config: { log: ({ query }) => void logged.push(query.sql) } })), false)
  assert.ok(logged.length > 0)
  const columns = Object.fromEntries(
    ['hashedPassword', 'isActive', 'isSuperuser', 'emailVerified', 'tokenVersion', 'createdAt', 'updatedAt'].map((name) => [
      name,
      name,
    ]),
  )
  const camel = await open(t, { config: { plugins: [new CamelCasePlugin()] }, options: { columns } })
  assert.equal(await isDirect(camel), false)
  assert.equal((await camel.users.findById(camel.id))?.isActive, 1)
  // biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
  const db = new Kysely<any>({ dialect: new SqliteDialect({ database: new Database(':memory:') as never }) })
  t.after(() => db.destroy())
  const table = await createUsersTable(db, 'sqlite')
  const users = kyselyUsers(db, table.options)
  await users.create({ email: 'a@example.com' })
  for (let i = 0; i < 4; i++) assert.equal((await users.findById(1))?.email, 'a@example.com')
})

test('a driver that gives no list of values is asked through Kysely, and so is one that cannot', async (t) => {
  const drivers = [() => ({ get: () => ({ id: 1, email: 'b@example.com' }) }), undefined]
  for (const raw of drivers) {
    const database = new Database(':memory:')
    const driver = {
      prepare(text: string) {
        const statement = database.prepare(text)
        return {
          reader: statement.reader,
          all: (parameters: never) => statement.all(parameters),
          run: (parameters: never) => statement.run(parameters),
          raw,
        }
      },
      open: true,
      inTransaction: false,
      close: () => database.close(),
    }
    // biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
    const db = new Kysely<any>({
      dialect: new SqliteDialect({ database: cachedStatements(driver as unknown as SqliteDatabase) }),
    })
    t.after(() => db.destroy())
    const table = await createUsersTable(db, 'sqlite')
    const users = kyselyUsers(db, table.options)
    await users.create({ email: 'a@example.com' })
    for (let i = 0; i < 4; i++) {
      assert.equal((await users.findById(1))?.email, 'a@example.com')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
})

test('after the database is closed a read fails', async (t) => {
  const { db, users, id, database, direct } = await open(t)
  await db.destroy()
  assert.equal(database.open, false)
  await assert.rejects(users.findById(id), /destroyed/)
  assert.deepEqual(direct, [])
})
