import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import { DuplicateUserError, UserValueError } from '../../src/errors.js'
import { userStoreConformance } from '../../src/testing/user-store.js'
import {
  cachedStatements,
  type KyselyUsersOptions,
  kyselyUsers,
} from '../../src/user-stores/kysely/index.js'
import { createUsersTable, openSqlite, type Shape } from '../helpers/tables.js'

const shapes: Shape[] = ['default', 'legacy', 'minimal']

for (const shape of shapes) {
  userStoreConformance(
    async () => {
      const db = openSqlite()
      const table = await createUsersTable(db, 'sqlite', shape)
      return { store: kyselyUsers(db, table.options), close: () => db.destroy() }
    },
    { name: `sqlite, ${shape}` },
  )
}

const open = async (t: TestContext, shape: Shape = 'default', options: KyselyUsersOptions = {}) => {
  const queries: string[] = []
  // biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
  const db = new Kysely<any>({
    dialect: new SqliteDialect({
      database: cachedStatements(new Database(':memory:') as unknown as SqliteDatabase),
    }),
    log: (event) => void queries.push(event.query.sql),
  })
  t.after(() => db.destroy())
  const table = await createUsersTable(db, 'sqlite', shape)
  queries.length = 0
  return { db, table, queries, users: kyselyUsers(db, { ...table.options, ...options }) }
}

test('sqlite: each call is one statement, and writes by a text id look up the id first', async (t) => {
  for (const [shape, perWrite] of [
    ['default', 1],
    ['legacy', 2],
  ] as const) {
    const { users, queries } = await open(t, shape)
    const row = await users.create({ email: 'a@example.com' })
    const id = row[users.fields.columns.id ?? ''] as string
    assert.equal(queries.splice(0).length, 1)
    await users.findById(id)
    assert.equal(queries.splice(0).length, 1)
    await users.findBy('email', 'a@example.com')
    assert.equal(queries.splice(0).length, 1)
    await users.update(id, { email: 'b@example.com' })
    assert.equal(queries.splice(0).length, perWrite)
    await users.compareAndSet(
      id,
      { email: 'b@example.com', username: null },
      { email: 'c@example.com' },
    )
    assert.equal(queries.splice(0).length, perWrite)
  }
})

test('sqlite: custom columns are written by their own names, in any order', async (t) => {
  const { users } = await open(t)
  const row = await users.create({ plan: 'pro', email: 'a@example.com', username: undefined })
  assert.equal(row.plan, 'pro')
  assert.equal(row.username, null)
  assert.equal(
    await users.compareAndSet(
      1,
      { plan: 'pro', token_version: 0 },
      { email: 'b@example.com', plan: null },
    ),
    true,
  )
  assert.equal(
    await users.compareAndSet(
      1,
      { token_version: 0, plan: null },
      { plan: 'free', email: 'c@example.com' },
    ),
    true,
  )
  const { email, plan } = (await users.findById(1)) ?? {}
  assert.deepEqual([email, plan], ['c@example.com', 'free'])
})

test('sqlite: a column given by both its own and its logical name is refused', async (t) => {
  const { users } = await open(t)
  await assert.rejects(
    users.create({ email: 'a@example.com', isSuperuser: false, is_superuser: true }),
    UserValueError,
  )
  assert.equal(await users.findBy('email', 'a@example.com'), null)
})

test('sqlite: missing logical fields are not written, and compareAndSet treats them as null', async (t) => {
  const { users } = await open(t, 'minimal')
  const row = await users.create({
    email: 'a@example.com',
    tokenVersion: 4,
    isActive: true,
    googleId: '7',
  })
  assert.deepEqual(row, { id: 1, email: 'a@example.com', hashed_password: null })
  assert.equal(await users.compareAndSet(1, { tokenVersion: 4 }, { hashedPassword: 'x' }), false)
  assert.equal(await users.compareAndSet(1, { tokenVersion: null }, { hashedPassword: 'x' }), true)
})

test('sqlite: the dates option sets how times are stored', async (t) => {
  const at = new Date('2026-01-31T10:00:00.500Z')
  for (const [dates, stored] of [
    ['text', '2026-01-31T10:00:00.500Z'],
    ['seconds', 1769853600],
    ['milliseconds', 1769853600500],
  ] as const) {
    const { users } = await open(t, 'default', { dates })
    const row = await users.create({ email: 'a@example.com', createdAt: at })
    assert.equal(String(row.created_at).replace(/\.0$/, ''), String(stored))
    assert.equal(await users.compareAndSet(1, { createdAt: at }, { plan: 'x' }), true)
  }
})

test('sqlite: an update sets updatedAt unless it is given', async (t) => {
  const { users } = await open(t)
  await users.create({ email: 'a@example.com', updatedAt: new Date(0) })
  await users.update(1, { plan: 'a' })
  assert.ok(String((await users.findById(1))?.updated_at) > '2020')
  await users.update(1, { updatedAt: new Date(0) })
  assert.equal((await users.findById(1))?.updated_at, '1970-01-01T00:00:00.000Z')
})

test('sqlite: a duplicate error names its field, or "unknown" for an expression index', async (t) => {
  const { users, db, table } = await open(t)
  await sql.raw(`create unique index by_plan on ${table.name} (plan)`).execute(db)
  await sql.raw(`create unique index folded on ${table.name} (lower(username))`).execute(db)
  await users.create({ email: 'a@example.com', username: 'anna', plan: 'pro' })
  const refused = (values: Record<string, unknown>, field: string) =>
    assert.rejects(
      users.create({ email: 'b@example.com', ...values }),
      (error) => error instanceof DuplicateUserError && error.field === field,
    )
  await refused({ plan: 'pro' }, 'plan')
  await refused({ id: 1 }, 'id')
  // The error does not name the column, and no row has exactly this username.
  await refused({ username: 'ANNA' }, 'unknown')
})

test('sqlite: values that the table refuses throw UserValueError, schema mistakes do not', async (t) => {
  const { users, db, table } = await open(t)
  await sql
    .raw(
      `create table strict_users (id integer primary key, email text not null, plan text not null check (length(plan) < 5), size integer) strict`,
    )
    .execute(db)
  const none = Object.fromEntries(
    [
      'username',
      'hashedPassword',
      'isActive',
      'isSuperuser',
      'emailVerified',
      'tokenVersion',
      'createdAt',
      'updatedAt',
    ].map((f) => [f, null]),
  )
  const strict = kyselyUsers(db, { table: 'strict_users', columns: none })
  for (const values of [
    { plan: 'enterprise' },
    { size: 'big' },
    { email: null },
    { id: 'abc' },
    { size: 2n ** 64n },
  ]) {
    await assert.rejects(
      strict.create({ email: 'a@example.com', plan: 'pro', ...values }),
      UserValueError,
      JSON.stringify(Object.keys(values)),
    )
  }
  await assert.rejects(strict.create({ email: 'a@example.com' }), /NOT NULL/)
  await assert.rejects(users.create({ email: 'a@example.com', nothing: 1 }), /nothing/)
  await assert.rejects(kyselyUsers(db, { table: `${table.name}x` }).findById(1), /no such table/)
})

test('sqlite: a row that does not match the configured columns throws an error naming the column', async (t) => {
  const { db, table } = await open(t)
  await kyselyUsers(db, table.options).create({ email: 'a@example.com' })
  await assert.rejects(
    kyselyUsers(db, { ...table.options, columns: { googleId: 'google_sub' } }).findById(1),
    /"google_sub" for "googleId"/,
  )
  await sql.raw(`update ${table.name} set is_active = 'N'`).execute(db)
  await assert.rejects(kyselyUsers(db, table.options).findById(1), /"is_active".*boolean or number/)
})

test('sqlite: invalid options are refused when the store is created', async (t) => {
  const { db } = await open(t)
  const wrong: KyselyUsersOptions[] = [
    ...[
      'a"b',
      "a'b",
      'a`b',
      'a;b',
      'a\nb',
      'a\0b',
      'a.b',
      '',
      '__proto__',
      'constructor',
      ' a',
    ].map((column) => ({
      columns: { email: column },
    })),
    ...['a"b', 'a;b', '', 'users as u', 'a.b.c.d', 'a\nb'].map((name) => ({ table: name })),
    { columns: { email: 'username' } },
    { columns: { email: 'Login', username: 'login' } },
    { columns: { id: null } },
    { columns: { 'e-mail': 'email' } },
    { columns: JSON.parse('{"__proto__":"x"}') },
    { dates: 'iso' as 'text' },
    { booleans: 'yes' as 'number' },
    { dialect: 'oracle' as 'sqlite' },
  ]
  for (const options of wrong)
    assert.throws(
      () => kyselyUsers(db, options),
      { code: 'CRUDAUTH_CONFIG' },
      JSON.stringify(options),
    )
  assert.throws(() => kyselyUsers({} as Kysely<unknown>), { code: 'CRUDAUTH_CONFIG' })
})

test('sqlite: optional columns exist once they are configured, provider ids are unique', async (t) => {
  const { db } = await open(t)
  const plain = kyselyUsers(db).fields
  assert.deepEqual(Object.values(plain.columns), [
    'id',
    'email',
    'username',
    'hashed_password',
    'is_active',
    'is_superuser',
    'email_verified',
    'token_version',
    'created_at',
    'updated_at',
    'totp_secret_encrypted',
    'totp_confirmed_at',
    'totp_last_step',
    'mfa_recovery_codes',
  ])
  assert.deepEqual(plain.unique, ['email', 'username'])
  const { columns, unique } = kyselyUsers(db, {
    columns: { username: null, acmeId: 'acme', phone: 'tel', phoneVerified: 'tel_ok' },
    unique: ['employee'],
  }).fields
  assert.equal(columns.username, undefined)
  assert.equal(columns.acmeId, 'acme')
  assert.equal(columns.constructor, undefined)
  assert.deepEqual(unique, ['email', 'acmeId', 'phone', 'employee'])
})

test('sqlite: a locked database is retried, and the error is thrown after eight attempts', async (t) => {
  let locked = 0
  let tries = 0
  const database = new Database(':memory:') as unknown as SqliteDatabase
  const flaky: SqliteDatabase = {
    close: () => database.close(),
    prepare(text) {
      tries++
      if (locked-- > 0)
        throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
      return database.prepare(text)
    },
  }
  const db = new Kysely({ dialect: new SqliteDialect({ database: flaky }) })
  t.after(() => db.destroy())
  const table = await createUsersTable(db, 'sqlite')
  const users = kyselyUsers(db, table.options)
  locked = 3
  tries = 0
  assert.equal((await users.create({ email: 'a@example.com' })).id, 1)
  assert.equal(tries, 4)
  locked = 1000
  tries = 0
  await assert.rejects(users.findById(1), /locked/)
  assert.equal(tries, 8)
  locked = 0
  await db.transaction().execute(async (trx) => {
    locked = 1
    await assert.rejects(kyselyUsers(trx, table.options).findById(1), /locked/)
  })
})

test('sqlite: a store in a transaction is rolled back with it', async (t) => {
  const { db, table, users } = await open(t)
  await assert.rejects(
    db.transaction().execute(async (trx) => {
      await kyselyUsers(trx, table.options).create({ email: 'a@example.com' })
      throw new Error('undo')
    }),
    /undo/,
  )
  assert.equal(await users.findBy('email', 'a@example.com'), null)
})
