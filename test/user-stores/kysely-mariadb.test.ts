import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Kysely, MysqlDialect, type MysqlPool, sql } from 'kysely'
import { createPool, type PoolOptions } from 'mysql2'
import { DuplicateUserError, UserValueError } from '../../src/errors.js'
import { kyselyOAuthAccounts } from '../../src/oauth-accounts/kysely.js'
import { userStoreConformance } from '../../src/testing/user-store.js'
import { type KyselyUsersOptions, kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { openMariadb, serverOf } from '../helpers/databases.js'
import { createLinksTable } from '../helpers/links-table.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

const { url, skip } = serverOf('TEST_MARIADB_URL')
const shapes: Shape[] = ['default', 'bigint', 'legacy', 'minimal']

for (const shape of shapes) {
  userStoreConformance(
    async () => {
      const db = openMariadb(url)
      const table = await createUsersTable(db, 'mysql', shape)
      return {
        store: kyselyUsers(db, table.options),
        close: async () => {
          await table.drop()
          await db.destroy()
        },
      }
    },
    { name: `mariadb, ${shape}`, test: (title, run) => test(title, { skip }, run) },
  )
}

/** MariaDB that reports itself as MySQL, so the store does not use RETURNING. */
function openAsMysql(options: PoolOptions = {}) {
  const pool = createPool({ uri: url, connectionLimit: 10, ...options })
  const asked: string[] = []
  const pretending: MysqlPool = {
    getConnection: (done) =>
      pool.getConnection((error, connection) => {
        if (error) return done(error, undefined as never)
        done(undefined, {
          release: () => connection.release(),
          query: (
            text: string,
            parameters: unknown[],
            answer: (error: unknown, result: unknown) => void,
          ) => {
            asked.push(text)
            if (/version\(\)/.test(text)) return answer(undefined, [{ version: '8.4.3' }])
            return connection.query(text, parameters, answer)
          },
        } as never)
      }),
    end: (done) => pool.end(done as never),
  }
  // biome-ignore lint/suspicious/noExplicitAny: any schema
  return { db: new Kysely<any>({ dialect: new MysqlDialect({ pool: pretending }) }), asked }
}

for (const shape of shapes) {
  userStoreConformance(
    async () => {
      const { db } = openAsMysql({
        flags: ['-FOUND_ROWS'],
        supportBigNumbers: true,
        bigNumberStrings: true,
      })
      const table = await createUsersTable(db, 'mysql', shape)
      return {
        store: kyselyUsers(db, table.options),
        close: async () => {
          await table.drop()
          await db.destroy()
        },
      }
    },
    {
      name: `as MySQL, counting changed rows, big numbers as text, ${shape}`,
      test: (title, run) => test(title, { skip }, run),
    },
  )
}

const open = async (t: TestContext, shape: Shape = 'default', options: KyselyUsersOptions = {}) => {
  const db = openMariadb(url)
  const table = await createUsersTable(db, 'mysql', shape)
  t.after(async () => {
    await table.drop()
    await db.destroy()
  })
  return { db, table, users: kyselyUsers(db, { ...table.options, ...options }) }
}

test('as MySQL: create reads the new row back without RETURNING, for every kind of id', {
  skip,
}, async (t) => {
  const { db, asked } = openAsMysql()
  t.after(() => db.destroy())
  for (const [shape, options] of [
    ['default', {}],
    ['bigint', { generateId: () => 2n ** 40n }],
    ['legacy', { generateId: () => '6f1c9d0e-0000-4000-8000-000000000001' }],
    ['legacy', {}],
  ] as const) {
    const table = await createUsersTable(db, 'mysql', shape)
    const users = kyselyUsers(db, { ...table.options, ...options })
    const row = await users.create({ email: 'a@example.com' })
    assert.deepEqual(await users.findById(row[users.fields.columns.id ?? ''] as number), row)
    await table.drop()
  }
  assert.equal(
    asked.some((text) => /returning/.test(text)),
    false,
  )
  const nameless = await createUsersTable(db, 'mysql', 'legacy')
  await sql.raw(`alter table ${nameless.name} modify mail varchar(255)`).execute(db)
  await assert.rejects(kyselyUsers(db, nameless.options).create({}), { code: 'CRUDAUTH_CONFIG' })
  await nameless.drop()
})

test('mariadb: an insert rolled back by a deadlock is retried', {
  skip,
}, async (t) => {
  const { users, db, table } = await open(t)
  const isWaiting = async () =>
    (
      await sql`select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT' and trx_query like ${`%${table.name}%`}`.execute(
        db,
      )
    ).rows.length > 0
  const trx = await db.startTransaction().execute()
  const make = (values: Record<string, unknown>) =>
    trx
      .insertInto(table.name)
      .values({ created_at: new Date(), updated_at: new Date(), ...values })
      .execute()
  // The transaction has more writes than the insert, so InnoDB rolls back the insert.
  for (let at = 0; at < 20; at++) await make({ email: `${at}@example.com` })
  await make({ email: 'x@example.com', username: 'anna' })
  const row = users.create({ email: 'a@example.com', username: 'anna' })
  // innodb_trx is refreshed only if it has not been queried for 0.1 seconds.
  while (!(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 150))
  await make({ email: 'a@example.com' })
  await trx.rollback().execute()
  assert.equal((await row).username, 'anna')
})

test('mariadb: parallel inserts with three unique keys fail only with DuplicateUserError', {
  skip,
}, async (t) => {
  const { users, db, table } = await open(t, 'legacy')
  await sql.raw(`alter table ${table.name} add unique (idp)`).execute(db)
  const results = await Promise.allSettled(
    Array.from({ length: 300 }, (_, at) =>
      users.create({
        email: `${at % 7}@example.com`,
        username: `${(at * 3) % 11}`,
        oauthProvider: `${(at * 5) % 13}`,
      }),
    ),
  )
  for (const result of results) {
    if (result.status === 'rejected')
      assert.ok(result.reason instanceof DuplicateUserError, String(result.reason))
  }
  assert.ok(results.some((result) => result.status === 'fulfilled'))
})

test('mariadb: a duplicate error names its field, whatever the key name and the value', {
  skip,
}, async (t) => {
  for (const shape of ['default', 'legacy'] as const) {
    const { users } = await open(t, shape)
    const mail = "it's for key 'username'"
    const row = await users.create({ email: mail, username: 'anna' })
    const isTold = (field: string) => (error: unknown) =>
      error instanceof DuplicateUserError && error.field === field
    await assert.rejects(users.create({ email: mail, username: 'b' }), isTold('email'))
    await assert.rejects(
      users.create({ email: 'b@example.com', username: 'ANNA' }),
      isTold('username'),
    )
    await assert.rejects(
      users.create({ email: 'b@example.com', id: row[users.fields.columns.id ?? ''] }),
      isTold('id'),
    )
  }
})

test('mariadb: findBy ignores rows that match only by collation', { skip }, async (t) => {
  const { users } = await open(t)
  const row = await users.create({ email: 'rene@example.com', username: 'strasse' })
  for (const near of ['rené@example.com', 'rene@example.com ', 'ｒene@example.com'])
    assert.equal(await users.findBy('email', near), null)
  assert.equal(await users.findBy('username', 'straße'), null)
  assert.deepEqual(await users.findBy('email', 'Rene@Example.com'), row)
})

test('mariadb: invalid values throw UserValueError, schema mistakes do not', {
  skip,
}, async (t) => {
  const { users, db, table } = await open(t)
  await sql
    .raw(`alter table ${table.name} modify plan varchar(20) character set latin1`)
    .execute(db)
  await users.create({ email: 'a@example.com' })
  for (const values of [
    { email: 'x'.repeat(256) },
    { tokenVersion: 2 ** 40 },
    { tokenVersion: 'x' },
    { email: null },
    { createdAt: 'never' },
    { plan: '😀' },
  ]) {
    await assert.rejects(users.create({ email: 'b@example.com', ...values }), UserValueError)
    await assert.rejects(users.update(1, values), UserValueError)
    assert.equal(await users.update(99, values), false, 'no such row')
  }
  assert.equal(await users.compareAndSet(1, { plan: '😀' }, { plan: 'x' }), false)
  await assert.rejects(users.create({ email: 'b@example.com', nothing: 1 }), { errno: 1054 })
  await assert.rejects(users.create({ username: 'b' }), { errno: 1364 })
})

test('mariadb: an object is bound as a JSON value and cannot inject SQL', { skip }, async (t) => {
  const { users } = await open(t)
  await users.create({ email: 'a@example.com', plan: { id: 1, email: 1 } })
  assert.equal((await users.findById(1))?.plan, '{"id":1,"email":1}')
  assert.equal(await users.compareAndSet(1, { plan: { plan: 1 } }, { plan: 'x' }), false)
  assert.equal(await users.findBy('email', { email: 1 }), null)
})

for (const { mode, told } of [
  { mode: 'STRICT_ALL_TABLES', told: /^$/ },
  { mode: 'ANSI', told: /^The sql_mode .* is not strict.*add STRICT_TRANS_TABLES to it$/ },
  {
    mode: 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES',
    told: /^The sql_mode .* has NO_BACKSLASH_ESCAPES.*remove it$/,
  },
])
  test(`mariadb with sql_mode ${mode}: verifySchema ${told.test('') ? 'accepts it' : 'names the cure'}`, {
    skip,
  }, async (t) => {
    const pool = createPool({ uri: url, connectionLimit: 2 })
    pool.on('connection', (connection) => {
      connection.query(`set session sql_mode = '${mode}'`)
    })
    const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) })
    const table = await createUsersTable(db, 'mysql', 'default')
    const links = await createLinksTable(db, 'mysql')
    t.after(async () => {
      await table.drop()
      await links.drop()
      await db.destroy()
    })
    const filled = ['email', 'username', 'hashedPassword']
    const needs = { filled, written: [], mayFill: false }
    for (const findings of [
      await kyselyUsers(db, table.options).verifySchema?.(needs),
      await kyselyOAuthAccounts(db, { table: links.name }).verifySchema?.(),
    ]) {
      const errors = findings?.filter(({ level }) => level === 'error') ?? []
      assert.match(errors.map(({ message }) => message).join('\n'), told)
    }
  })
