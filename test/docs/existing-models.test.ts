import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { openForPrisma } from '../helpers/open-prisma.js'
import { openSqlite } from '../helpers/sqlite.js'
import { blocksOf, page } from './documents.js'
import { runExample } from './load.js'

const secret = 'for-tests-only-7Jq0vXc2Lm9Rk4TzWb8H'
const account = { email: 'ada@example.com', username: 'ada', password: 'a quiet sea at noon' }

function newApp(t: TestContext): FastifyInstance {
  const app = Fastify()
  t.after(() => app.close())
  return app
}

async function register(app: FastifyInstance) {
  const response = await app.inject({ method: 'POST', url: '/register', payload: account })
  assert.equal(response.statusCode, 201, response.body)
}

async function signIn(app: FastifyInstance, username: string): Promise<Record<string, string>> {
  const payload = { username, password: account.password }
  const response = await app.inject({ method: 'POST', url: '/login', payload })
  assert.equal(response.statusCode, 200, response.body)
  return Object.fromEntries(response.cookies.map(({ name, value }) => [name, value]))
}

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
const run = async (db: Kysely<any>, statements: string) => {
  for (const statement of statements.split(';').filter((text) => text.trim()))
    await sql.raw(statement).execute(db)
}

test('docs/users.md: an app works with an existing Drizzle table', async (t) => {
  const { orm, db } = openDrizzle('sqlite')
  t.after(() => db.destroy())
  await run(
    db,
    'create table account (id text primary key not null, mail text not null unique, password_hash text not null)',
  )
  const app = newApp(t)
  await runExample(t, 'drizzle-existing', { app, secret, db: orm })
  await register(app)
  await signIn(app, account.email)
})

test('docs/users.md: an app works with an existing Prisma model', async (t) => {
  const block = blocksOf(page('docs/users.md')).find(
    ({ language, code }) => language === 'prisma' && code.startsWith('model Account'),
  )
  assert.ok(block, 'the page has the model')
  const database = openForPrisma('sqlite')
  // As Prisma's migrations create it.
  await run(
    database.db,
    `create table "Account" ("id" text not null primary key, "mail" text not null,
      "passwordHash" text not null, "createdAt" datetime not null default current_timestamp);
    create unique index "Account_mail_key" on "Account" ("mail")`,
  )
  const { PrismaClient } = await generatePrisma('sqlite', block.code)
  const prisma = new PrismaClient({ adapter: database.adapter() })
  const app = newApp(t)
  app.addHook('onClose', async () => {
    await prisma.$disconnect()
    await database.close()
  })
  await runExample(t, 'prisma-existing', { app, secret, prisma })
  await register(app)
  await signIn(app, account.email)
})

test('docs/state.md: apps over one SQLite file share their sessions', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-state-'))
  process.env.DATABASE_FILE = join(folder, 'app.db')
  t.after(() => {
    delete process.env.DATABASE_FILE
    rmSync(folder, { recursive: true, force: true })
  })
  const db = openSqlite(process.env.DATABASE_FILE)
  t.after(() => db.destroy())
  const sources = [
    blocksOf(page('docs/users.md')).find(({ marks }) => marks.table === 'sqlite'),
    blocksOf(page('docs/state.md')).find(({ marks }) => marks.state === 'sqlite'),
  ]
  for (const source of sources) await run(db, source?.code ?? '')
  const [first, second] = [newApp(t), newApp(t)]
  await runExample(t, 'sqlite-processes', { app: first, secret })
  await runExample(t, 'sqlite-processes', { app: second, secret })
  await register(first)
  const cookies = await signIn(first, account.username)
  const { statusCode } = await second.inject({ url: '/me', cookies })
  assert.equal(statusCode, 200)
})
