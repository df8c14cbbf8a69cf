import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { type Kysely, sql } from 'kysely'
import { root } from '../../scripts/source-graph.js'
import type { UserId } from '../../src/index.js'
import { drizzlePasskeys } from '../../src/passkey-stores/drizzle.js'
import { kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import type { DrizzleTable } from '../../src/sql/drizzle/instance.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import type { Dialect } from '../helpers/tables.js'
import { drizzleStatements, openDrizzle } from './drizzle-ddl.js'
import { tryTables } from './flow.js'
import { describeTables, openEmpty, skipOf } from './places.js'
import { load, printed, scratch, skipWithout, statementsOf } from './printed.js'
import { tryPasskeys } from './try-passkeys.js'

const everything = ['--features', 'mfa,oauth-accounts,passkeys,state']

// biome-ignore lint/suspicious/noExplicitAny: the tables are printed by the command
async function run(db: Kysely<any>, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

/** The constraints of the table for links: one account of a provider for a user, and the reverse. */
// biome-ignore lint/suspicious/noExplicitAny: the tables are printed by the command
async function tryLinks(db: Kysely<any>, dialect: Dialect, id: string | number): Promise<void> {
  const linked = dialect === 'sqlite' ? new Date().toISOString() : new Date()
  const link = { user_id: id, provider: 'github', subject: 'aBc', email: null, linked_at: linked }
  const add = (changes: object) =>
    db
      .insertInto('oauth_accounts')
      .values({ ...link, ...changes })
      .execute()
  await add({})
  await assert.rejects(add({ subject: 'other' }), 'a second account of the provider')
  await assert.rejects(add({ user_id: 424_242, provider: 'google' }), 'a user that is not there')
  await add({ provider: 'google', subject: 'aBc' })
  const find = (subject: string) =>
    db.selectFrom('oauth_accounts').selectAll().where('subject', '=', subject).execute()
  assert.equal((await find('aBc')).length, 2)
  assert.equal((await find('abc')).length, 0, 'subjects are compared exactly')
  await db.deleteFrom('users').where('id', '=', id).execute()
  assert.equal((await find('aBc')).length, 0, 'links end with their user')
}

/** Adds three users, and returns their ids behind that of the first one. */
// biome-ignore lint/suspicious/noExplicitAny: the tables are printed by the command
async function fourUsers(db: Kysely<any>, first: string | number): Promise<UserId[]> {
  const users = kyselyUsers(db)
  const ids: UserId[] = [first]
  for (const name of ['bob', 'cleo', 'dan']) {
    const row = await users.create({ username: name, email: `${name}@example.com` })
    ids.push(row.id as UserId)
  }
  return ids
}

const providers = { postgres: 'postgresql', mysql: 'mysql', sqlite: 'sqlite' }

/** Runs Prisma offline: these commands never start its schema engine. */
const prisma = (folder: string, ...args: string[]) =>
  promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules', 'prisma', 'build', 'index.js'), ...args],
    {
      cwd: folder,
      env: {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    },
  )

/** The columns that a client generated from the models knows, as `table.column kind`. */
function prismaColumns(models: string): string[] {
  return [...models.matchAll(/^model \w+ \{\n(.*?)\n\}/gms)].flatMap(([, body = '']) => {
    const table = /@@map\("(\w+)"\)/.exec(body)?.[1]
    return body.split('\n').flatMap((line) => {
      const [, name, , isNullable] = /^ {2}(\w+) +([A-Z]\w*)(\?)?(?: |$)/.exec(line) ?? []
      if (name === undefined || /@relation|\[\]/.test(line)) return []
      return [`${table}.${/@map\("(\w+)"\)/.exec(line)?.[1] ?? name} ${isNullable ? 'null' : ''}`]
    })
  })
}

/** The columns in printed SQL, in the same form. */
const sqlColumns = (text: string): string[] =>
  statementsOf(text).flatMap((statement) => {
    const [, table, body = ''] = /^create table .(\w+). \((.*)\)/s.exec(statement) ?? []
    if (table === undefined) return []
    return body.split(',\n').flatMap((line) => {
      const [, name, rest = ''] = /^\s*[`"](\w+)[`"] (.*)$/s.exec(line) ?? []
      return name ? [`${table}.${name} ${/not null|primary key/.test(rest) ? '' : 'null'}`] : []
    })
  })

/** Tests every format on one database. */
export function testSchema(dialect: Dialect): void {
  const skip = skipOf(dialect)

  test(`schema ${dialect}: an app runs on the printed SQL`, { skip }, async (t) => {
    const { db } = await openEmpty(t, dialect)
    await run(db, statementsOf(await printed(dialect, 'sql', ...everything)))
    const { id } = await tryTables(t, db)
    await tryPasskeys(kyselyPasskeys(db), await fourUsers(db, id))
    await tryLinks(db, dialect, id)
    assert.deepEqual(await kyselyPasskeys(db).listByUser(id), [], 'passkeys end with their user')
  })

  test(`schema ${dialect}: --table names the users table everywhere`, { skip }, async (t) => {
    const { db } = await openEmpty(t, dialect)
    // A keyword, with letters of both cases.
    const options = [...everything, '--table', 'Order']
    await run(db, statementsOf(await printed(dialect, 'sql', ...options)))
    const { id } = await tryTables(t, db, 'Order')
    assert.ok(id !== undefined)
  })

  test(`schema ${dialect}: the Kysely migration makes the tables of the SQL, and takes them back`, {
    skip,
  }, async (t) => {
    const { db } = await openEmpty(t, dialect)
    const { up, down } = (await load(t, await printed(dialect, 'kysely', ...everything))) as Record<
      'up' | 'down',
      (db: unknown) => Promise<void>
    >
    await up(db)
    const migrated = await describeTables(db, dialect)
    await down(db)
    assert.deepEqual(await describeTables(db, dialect), [])
    await run(db, statementsOf(await printed(dialect, 'sql', ...everything)))
    assert.deepEqual(migrated, await describeTables(db, dialect))
    assert.ok(migrated.length > 35)
    await down(db)
    await up(db)
    const { id } = await tryTables(t, db)
    await tryLinks(db, dialect, id)
  })

  test(`schema ${dialect}: --no-users adds the columns of the second factor`, {
    skip,
  }, async (t) => {
    const { db } = await openEmpty(t, dialect)
    const options = ['--no-users', '--features', 'mfa,state']
    await run(db, statementsOf(await printed(dialect, 'sql')))
    const plain = await describeTables(db, dialect)
    const migration = await load(t, await printed(dialect, 'kysely', ...options))
    const { up, down } = migration as Record<'up' | 'down', (db: unknown) => Promise<void>>
    await up(db)
    const migrated = await describeTables(db, dialect)
    await down(db)
    assert.deepEqual(await describeTables(db, dialect), plain)
    await run(db, statementsOf(await printed(dialect, 'sql', ...options)))
    assert.deepEqual(await describeTables(db, dialect), migrated)
    await tryTables(t, db)
  })

  test(`schema ${dialect}: the Drizzle tables are those of the SQL, and Drizzle reads the rows`, {
    skip: skip || skipWithout('drizzle-orm'),
  }, async (t) => {
    const { db, client } = await openEmpty(t, dialect)
    const tables = await load(t, await printed(dialect, 'drizzle', ...everything))
    assert.deepEqual(Object.keys(tables).sort(), [
      'crudauthCounters',
      'crudauthStore',
      'oauthAccounts',
      'passkeys',
      'users',
    ])
    const { users, oauthAccounts, passkeys, crudauthStore, crudauthCounters } = tables
    const all = [users, oauthAccounts, passkeys, crudauthStore, crudauthCounters]
    await run(db, await drizzleStatements(dialect, all))
    const { db: other } = await openEmpty(t, dialect)
    await run(other, statementsOf(await printed(dialect, 'sql', ...everything)))
    assert.deepEqual(await describeTables(db, dialect), await describeTables(other, dialect))
    const { id } = await tryTables(t, db)
    const orm = await openDrizzle(dialect, client)
    const [row] = await orm.select().from(users)
    assert.equal(String(row.id), String(id))
    assert.equal(row.email, 'ada@example.com')
    assert.equal(row.isActive, true)
    assert.ok(Date.now() - new Date(row.createdAt).getTime() < 60_000)
    await fourUsers(db, id)
    const rows: { id: UserId }[] = await orm.select().from(users)
    const store = drizzlePasskeys(orm, passkeys as DrizzleTable)
    await tryPasskeys(
      store,
      rows.map((user) => user.id),
    )
    await tryLinks(db, dialect, id)
  })

  test(`schema ${dialect}: Prisma validates the models and generates a client`, {
    skip: skipWithout('prisma'),
  }, async (t) => {
    const models = await printed(dialect, 'prisma', ...everything)
    const folder = scratch(t)
    const head = `generator client {
  provider = "prisma-client"
  output   = "./client"
}

datasource db {
  provider = "${providers[dialect]}"
}
`
    const file = join(folder, 'schema.prisma')
    writeFileSync(file, `${head}\n${models}`)
    await prisma(folder, 'validate', '--schema', file)
    await prisma(folder, 'generate', '--schema', file)
    assert.deepEqual(
      prismaColumns(models),
      sqlColumns(await printed(dialect, 'sql', ...everything)),
    )
    assert.ok(prismaColumns(models).length > 25)
  })
}
