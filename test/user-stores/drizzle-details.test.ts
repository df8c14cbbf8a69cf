import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as betterSqlite } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { DuplicateUserError, UserValueError } from '../../src/errors.js'
import { drizzleOAuthAccounts } from '../../src/oauth-accounts/drizzle.js'
import { type DrizzleUsersOptions, drizzleUsers } from '../../src/user-stores/drizzle/index.js'
import { drizzleColumns, drizzleTableOf } from '../helpers/drizzle.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

const isConfigError = { code: 'CRUDAUTH_CONFIG' }

const open = async (
  t: TestContext,
  shape: Shape = 'default',
  options: DrizzleUsersOptions = {},
) => {
  const log: string[] = []
  const { orm, db, client } = openDrizzle('sqlite', log)
  t.after(() => db.destroy())
  const created = await createUsersTable(db, 'sqlite', shape)
  const table = drizzleTableOf('sqlite', shape, created.name)
  const columns = { ...drizzleColumns[shape], ...options.columns }
  const { generateId } = created.options
  const users = drizzleUsers(orm, table, { ...(generateId && { generateId }), ...options, columns })
  log.length = 0
  return { orm, db, client, table, users, log, name: created.name }
}

test('drizzle: each call is one statement, and writes by a text id look up the id first', async (t) => {
  for (const [shape, perWrite] of [
    ['default', 1],
    ['legacy', 2],
  ] as const) {
    const { users, log } = await open(t, shape)
    const row = await users.create({ email: 'a@example.com' })
    const id = row.id as number
    assert.equal(log.splice(0).length, 1)
    await users.findById(id)
    await users.findBy('email', 'a@example.com')
    assert.equal(log.splice(0).length, 2)
    await users.update(id, { email: 'b@example.com' })
    assert.equal(log.splice(0).length, perWrite)
    await users.compareAndSet(id, { email: 'b@example.com', username: null }, { username: 'b' })
    assert.equal(log.splice(0).length, perWrite)
  }
})

test('drizzle: only the fields that the table has exist', async (t) => {
  const { users, table, orm } = await open(t, 'minimal')
  assert.deepEqual(
    { ...users.fields.columns },
    {
      id: 'id',
      email: 'email',
      hashedPassword: 'hashedPassword',
    },
  )
  assert.deepEqual(users.fields.writable, ['id', 'email', 'hashedPassword'])
  const row = await users.create({ email: 'a@example.com', tokenVersion: 4, googleId: '7' })
  assert.deepEqual(row, { id: 1, email: 'a@example.com', hashedPassword: null })
  assert.equal(await users.compareAndSet(1, { tokenVersion: 4 }, { hashedPassword: 'x' }), false)
  assert.equal(await users.compareAndSet(1, { tokenVersion: null }, { hashedPassword: 'x' }), true)
  await assert.rejects(users.create({ email: 'b@example.com', plan: 'pro' }), UserValueError)
  const without = drizzleUsers(orm, table, { columns: { email: null } })
  assert.equal(without.fields.columns.email, undefined)
})

test('drizzle: invalid options are refused when the store is created', async (t) => {
  const { orm, table } = await open(t)
  const wrong: DrizzleUsersOptions[] = [
    { columns: { email: 'mail' } },
    { columns: { email: 'username' } },
    { columns: { id: null } },
    { columns: { acmeId: 'acme_id' } },
    { columns: { isActive: { column: 'createdAt', as: 'timestamp' } } },
  ]
  for (const options of wrong)
    assert.throws(() => drizzleUsers(orm, table, options), isConfigError, JSON.stringify(options))
  assert.throws(() => drizzleUsers(orm, {} as never), isConfigError)
  assert.throws(() => drizzleUsers({} as never, table), isConfigError)
  const numbers = sqliteTable('n', {
    id: integer().primaryKey(),
    hashedPassword: text(),
    createdAt: integer(),
  })
  assert.throws(() => drizzleUsers(orm, numbers), /declared as a time for "createdAt"/)
  assert.throws(() => drizzleOAuthAccounts(orm, numbers), /Links need "provider"/)
  assert.throws(
    () => drizzleOAuthAccounts(orm, numbers, { columns: { provider: 'x' as 'id' } }),
    isConfigError,
  )
})

test('drizzle: values and errors never show up in the message of an error', async (t) => {
  const { users, db, name } = await open(t)
  await db.schema.alterTable(name).renameColumn('plan', 'tariff').execute()
  await assert.rejects(
    users.create({ email: 'a@example.com', hashedPassword: 'secret', plan: 'pro' }),
    (error: Error) => /no column named plan/.test(error.message) && !/secret/.test(error.message),
  )
})

test('drizzle: $defaultFn and $onUpdate are called for each write', async (t) => {
  const { orm, db } = await open(t)
  let made = 0
  const table = sqliteTable('made_ids', {
    id: text()
      .primaryKey()
      .$defaultFn(() => `id-${++made}`),
    email: text().notNull().unique(),
    hashedPassword: text(),
    revision: integer()
      .notNull()
      .$onUpdate(() => ++made),
    seen: text().default(drizzleSql`'never'`),
  })
  await db.schema
    .createTable('made_ids')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('email', 'text', (column) => column.unique())
    .addColumn('hashedPassword', 'text')
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addColumn('seen', 'text')
    .execute()
  const users = drizzleUsers(orm, table)
  const needs = { filled: ['email', 'hashedPassword'], written: [], mayFill: false }
  assert.deepEqual(await users.verifySchema?.(needs), [])
  const [first, second] = [
    await users.create({ email: 'a@example.com' }),
    await users.create({ email: 'b@example.com' }),
  ]
  assert.notEqual(first.id, second.id)
  assert.equal(first.seen, 'never')
  const revisions = new Set([first.revision, second.revision])
  for (let round = 0; round < 3; round++) {
    assert.equal(await users.update(first.id, { hashedPassword: `${round}` }), true)
    revisions.add((await users.findById(first.id))?.revision ?? 0)
  }
  assert.equal(revisions.size, 5)
})

test('drizzle: SQLite modes for flags and times, and casing, are Drizzle’s', async (t) => {
  const { db, client } = await open(t)
  const orm = betterSqlite({ client, casing: 'snake_case' })
  const table = sqliteTable('modes', {
    id: integer().primaryKey({ autoIncrement: true }),
    email: text().notNull().unique(),
    hashedPassword: text(),
    emailVerified: integer({ mode: 'timestamp_ms' }),
    isActive: integer({ mode: 'boolean' }).notNull().default(true),
    createdAt: integer({ mode: 'timestamp' }).notNull(),
    settings: text({ mode: 'json' }).$type<{ theme: string }>(),
  })
  await db.schema
    .createTable('modes')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('email', 'text', (column) => column.notNull().unique())
    .addColumn('hashed_password', 'text')
    .addColumn('email_verified', 'integer')
    .addColumn('is_active', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('settings', 'text')
    .execute()
  const users = drizzleUsers(orm, table, {
    columns: { emailVerified: { column: 'emailVerified', as: 'timestamp' } },
  })
  const row = await users.create({ email: 'a@example.com', settings: { theme: 'dark' } })
  assert.equal(row.isActive, true)
  assert.ok(row.createdAt instanceof Date)
  assert.equal(row.emailVerified, null)
  assert.deepEqual(row.settings, { theme: 'dark' })
  assert.equal(
    await users.compareAndSet(1, { emailVerified: false }, { emailVerified: true }),
    true,
  )
  assert.equal(await users.compareAndSet(1, { emailVerified: false }, { isActive: false }), false)
  assert.ok((await users.findById(1))?.emailVerified instanceof Date)
  const needs = { filled: ['email', 'hashedPassword'], written: [], mayFill: false }
  assert.deepEqual(await users.verifySchema?.(needs), [])
  await assert.rejects(
    users.create({ email: 'a@example.com' }),
    (error) => error instanceof DuplicateUserError && error.field === 'email',
  )
})
