import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { DuplicateUserError, UserValueError } from '../../src/errors.js'
import { userStoreConformance } from '../../src/testing/user-store.js'
import { type KyselyUsersOptions, kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { openPostgres, serverOf } from '../helpers/databases.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

const { url, skip } = serverOf('TEST_POSTGRES_URL')
const shapes: Shape[] = ['default', 'bigint', 'legacy', 'minimal']

for (const shape of shapes) {
  userStoreConformance(
    async () => {
      const db = openPostgres(url)
      const table = await createUsersTable(db, 'postgres', shape)
      return {
        store: kyselyUsers(db, table.options),
        close: async () => {
          await table.drop()
          await db.destroy()
        },
      }
    },
    { name: `postgres, ${shape}`, test: (title, run) => test(title, { skip }, run) },
  )
}

const open = async (t: TestContext, shape: Shape = 'default', options: KyselyUsersOptions = {}) => {
  const db = openPostgres(url)
  const table = await createUsersTable(db, 'postgres', shape)
  t.after(async () => {
    await table.drop()
    await db.destroy()
  })
  return { db, table, users: kyselyUsers(db, { ...table.options, ...options }) }
}

test('postgres: a statement that fails with a serialization conflict is retried', {
  skip,
}, async (t) => {
  const { table, db: other } = await open(t)
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    options: '-c default_transaction_isolation=serializable',
  })
  // biome-ignore lint/suspicious/noExplicitAny: any schema
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  t.after(() => db.destroy())
  const users = kyselyUsers(db, table.options)
  await users.create({ email: 'a@example.com', plan: 'free' })
  const isWaiting = async () =>
    (
      await sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like ${`%update%${table.name}%`}`.execute(
        other,
      )
    ).rows.length > 0
  const trx = await other.startTransaction().execute()
  await trx.updateTable(table.name).set({ username: 'anna' }).execute()
  const won = users.compareAndSet(1, { plan: 'free' }, { plan: 'pro' })
  while (!(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 10))
  await trx.commit().execute()
  assert.equal(await won, true)
  const row = await users.findById(1)
  assert.deepEqual([row?.username, row?.plan], ['anna', 'pro'])
})

test('postgres: a duplicate error names its field, for keys and expression indexes of any name', {
  skip,
}, async (t) => {
  const { users, db, table } = await open(t)
  await sql.raw(`create unique index ${table.name}_by_plan on ${table.name} (plan)`).execute(db)
  await sql
    .raw(`create unique index ${table.name}_folded on ${table.name} (lower(username))`)
    .execute(db)
  await users.create({ id: 7, email: 'a@example.com', username: 'anna', plan: 'pro' })
  for (const [field, value] of Object.entries({
    plan: 'pro',
    id: 7,
    username: 'ANNA',
    email: 'a@example.com',
  })) {
    const isTold = (error: unknown) => error instanceof DuplicateUserError && error.field === field
    await assert.rejects(users.create({ email: 'b@example.com', [field]: value }), isTold, field)
  }
})

test('postgres: invalid values throw UserValueError, schema mistakes do not', {
  skip,
}, async (t) => {
  const { users } = await open(t)
  await users.create({ email: 'a@example.com' })
  for (const values of [
    { email: 'x'.repeat(256) },
    { tokenVersion: 2 ** 40 },
    { tokenVersion: 'x' },
    { isActive: 'maybe' },
    { email: null },
    { createdAt: 'never' },
  ]) {
    await assert.rejects(users.create({ email: 'b@example.com', ...values }), UserValueError)
    await assert.rejects(users.update(1, values), UserValueError)
    assert.equal(await users.update(99, values), false, 'no such row')
  }
  for (const expected of [
    { tokenVersion: 'x' },
    { tokenVersion: 2 ** 40 },
    { isActive: 'maybe' },
    { createdAt: 'never' },
  ]) {
    assert.equal(await users.compareAndSet(1, expected, { plan: 'x' }), false)
  }
  await assert.rejects(users.create({ email: 'b@example.com', nothing: 1 }), { code: '42703' })
  await assert.rejects(users.create({ username: 'b' }), { code: '23502' })
})

test('postgres: compareAndSet works with numeric flags and fixed-width hash columns', {
  skip,
}, async (t) => {
  const { db, table } = await open(t)
  await sql
    .raw(
      `alter table ${table.name} alter is_active drop default, alter is_active type smallint using 1, alter hashed_password type char(97)`,
    )
    .execute(db)
  const users = kyselyUsers(db, { ...table.options, booleans: 'number' })
  const row = await users.create({ email: 'a@example.com', hashedPassword: 'h' })
  assert.equal(row.is_active, 1)
  assert.equal(
    await users.compareAndSet(
      1,
      { isActive: true, hashedPassword: row.hashed_password },
      { isActive: false },
    ),
    true,
  )
  assert.equal((await users.findById(1))?.is_active, 0)
})

test('postgres: a schema-qualified table name works', { skip }, async (t) => {
  const { table, db } = await open(t)
  const users = kyselyUsers(db, { ...table.options, table: `public.${table.name}` })
  await users.create({ email: 'a@example.com' })
  assert.equal(await users.update(1, { plan: 'x' }), true)
  await assert.rejects(
    users.create({ email: 'a@example.com' }),
    (error) => error instanceof DuplicateUserError && error.field === 'email',
  )
})
