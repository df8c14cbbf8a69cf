import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { drizzle } from 'drizzle-orm/node-postgres'
import { sql } from 'kysely'
import pg from 'pg'
import type { UserStore } from '../../src/index.js'
import { drizzleOAuthAccounts } from '../../src/oauth-accounts/drizzle.js'
import { prismaOAuthAccounts } from '../../src/oauth-accounts/prisma.js'
import { drizzleUsers } from '../../src/user-stores/drizzle/index.js'
import { prismaUsers } from '../../src/user-stores/prisma/index.js'
import { createSchema, openPostgres, serverOf } from '../helpers/databases.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { pluginFlow } from '../helpers/plugin-flow.js'
import { blocksOf, page, root } from './documents.js'

const postgres = serverOf('TEST_POSTGRES_URL')
const blocks = blocksOf(page('docs/users.md'))

/** What drizzle-kit and Prisma create for the schemas in the documentation. */
const tables = (identity: string) => [
  `create table accounts (
    id integer primary key generated ${identity} as identity,
    email varchar(254) not null unique, username varchar(150) not null unique, hashed_password text,
    is_active boolean not null default true, is_superuser boolean not null default false,
    email_verified boolean not null default false, token_version integer not null default 0,
    created_at timestamptz(3) not null, updated_at timestamptz(3) not null,
    totp_secret_encrypted text, totp_confirmed_at timestamptz(3), totp_last_step bigint,
    mfa_recovery_codes text)`,
  `create table oauth_accounts (
    user_id integer not null references accounts (id) on delete cascade,
    provider text not null, subject text not null, email text, linked_at timestamptz(3) not null,
    primary key (user_id, provider), unique (provider, subject))`,
]

/** The URL of the test server with a schema of its own, in which the tables exist. */
async function openSchema(t: TestContext, identity: string): Promise<string> {
  const url = await createSchema(t, postgres.url)
  const db = openPostgres(url)
  for (const statement of tables(identity)) await sql.raw(statement).execute(db)
  await db.destroy()
  return url
}

test('docs/users.md: an app works with the Drizzle schema', { skip: postgres.skip }, async (t) => {
  const pool = new pg.Pool({ connectionString: await openSchema(t, 'always') })
  t.after(() => pool.end())
  const block = blocks.find(({ marks }) => marks.file === 'schema.ts')
  assert.ok(block, 'the page has the schema')
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'schema-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'schema.ts'), block.code)
  const { accounts, oauthAccounts } = await import(pathToFileURL(join(folder, 'schema.ts')).href)
  const db = drizzle({ client: pool })
  await pluginFlow(
    t,
    drizzleUsers(db, accounts) as UserStore,
    drizzleOAuthAccounts(db, oauthAccounts),
  )
})

test('docs/users.md: an app works with the Prisma schema', { skip: postgres.skip }, async (t) => {
  const block = blocks.find(({ marks }) => marks.name === 'prisma-schema')
  const models = /^model[\s\S]*$/m.exec(block?.code ?? '')?.[0]
  assert.ok(models, 'the page has the models')
  const connectionString = await openSchema(t, 'by default')
  const schema = /search_path%3D(\w+)/.exec(connectionString)?.[1] ?? ''
  const { PrismaClient } = await generatePrisma('postgres', models)
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }, { schema }) })
  t.after(() => prisma.$disconnect())
  await pluginFlow(
    t,
    prismaUsers(prisma, 'account' as never),
    prismaOAuthAccounts(prisma, 'oAuthAccount' as never),
  )
})
