import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { DuplicateUserError } from '../../src/errors.js'
import { type KyselyUsersOptions, kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { openMariadb, openPostgres, serverOf } from '../helpers/databases.js'
import { openSqlite } from '../helpers/sqlite.js'
import { blocksOf, page } from './documents.js'

/** The statements of a table in docs/users.md. */
function statementsOf(mark: string): string[] {
  const block = blocksOf(page('docs/users.md')).find(({ marks }) => marks.table === mark)
  assert.ok(block, `docs/users.md has a table for ${mark}`)
  return block.code
    .split(';')
    .map((statement) => statement.trim())
    .filter(Boolean)
}

/** The options that docs/users.md gives for the legacy table, from the very example. */
function legacyOptions(): KyselyUsersOptions {
  const block = blocksOf(page('docs/users.md')).find(({ code }) =>
    code.includes("table: 'crm.account'"),
  )
  const literal = /kyselyUsers\(db, (\{[\s\S]*?\n\})\)/.exec(block?.code ?? '')?.[1]
  assert.ok(literal, 'the example has options')
  return new Function(`return ${literal}`)() as KyselyUsersOptions
}

async function tryTable(
  t: TestContext,
  // biome-ignore lint/suspicious/noExplicitAny: the tables are those of the documentation
  db: Kysely<any>,
  statements: string[],
  options: KyselyUsersOptions,
  drop: string,
) {
  t.after(async () => {
    await sql.raw(drop).execute(db)
    await db.destroy()
  })
  for (const statement of statements) await sql.raw(statement).execute(db)
  const store = kyselyUsers(db, options)
  const { columns } = store.fields
  const values = {
    email: 'ada@example.com',
    ...(columns.username && { username: 'ada' }),
    hashedPassword: '$argon2id$v=19$m=19456',
  }
  const row = await store.create(values)
  const id = row[columns.id ?? ''] as number
  assert.deepEqual(await store.findById(id), row)
  assert.deepEqual(await store.findBy('email', 'ada@example.com'), row)
  await assert.rejects(store.create(values), DuplicateUserError)
  const next = { hashedPassword: 'next', tokenVersion: 1 }
  assert.equal(
    await store.compareAndSet(id, { hashedPassword: '$argon2id$v=19$m=19456' }, next),
    true,
  )
  assert.equal(
    await store.compareAndSet(id, { hashedPassword: '$argon2id$v=19$m=19456' }, next),
    false,
  )
  const after = await store.findById(id)
  assert.equal(after?.[columns.hashedPassword ?? ''], 'next')
  assert.equal(after?.[columns.tokenVersion ?? ''], 1)
}

const unique = () => `docs_${randomBytes(6).toString('hex')}`
const renamed = (mark: string, from: string, to: string) =>
  statementsOf(mark).map((statement) =>
    statement.replaceAll(new RegExp(`(create (?:table|schema) )${from}`, 'g'), `$1${to}`),
  )

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

test('docs: the default SQLite table works with kyselyUsers', async (t) => {
  await tryTable(t, openSqlite(), statementsOf('sqlite'), {}, 'drop table users')
})

test('docs: the default PostgreSQL table works with kyselyUsers', {
  skip: postgres.skip,
}, async (t) => {
  const table = unique()
  await tryTable(
    t,
    openPostgres(postgres.url),
    renamed('postgres', 'users', table),
    { table },
    `drop table ${table}`,
  )
})

test('docs: the default MariaDB table works with kyselyUsers', {
  skip: mariadb.skip,
}, async (t) => {
  const table = unique()
  await tryTable(
    t,
    openMariadb(mariadb.url),
    renamed('mysql', 'users', table),
    { table },
    `drop table ${table}`,
  )
})

test('docs: the legacy table works with the options in its example', {
  skip: postgres.skip,
}, async (t) => {
  const schema = unique()
  const options = { ...legacyOptions(), table: `${schema}.account` }
  await tryTable(
    t,
    openPostgres(postgres.url),
    renamed('postgres-legacy', 'crm', schema),
    options,
    `drop schema ${schema} cascade`,
  )
})
