import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { memoryUsers } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { Client } from '../helpers/client.js'
import { openPostgres, serverOf } from '../helpers/databases.js'
import { firebaseParameters, longPassword, vectorSets } from '../helpers/legacy-vectors.js'
import { refuses } from '../helpers/refuses.js'
import { openSqlite } from '../helpers/sqlite.js'
import { blocksOf, page } from './documents.js'
import { runExample } from './load.js'
import * as tables from './old-tables.js'

const phrase = 'correct horse battery'
const postgres = serverOf('TEST_POSTGRES_URL')
// biome-ignore lint/suspicious/noExplicitAny: the tables are those of other systems
type Database = Kysely<any>

/** SQLite adds constraints as indexes, and wants "as" before an alias. */
const forSqlite = (statement: string): string[] =>
  statement
    .replace(
      /^alter table (\S+) add column (\w+) (.*) unique$/s,
      'alter table $1 add column $2 $3; create unique index $2_unique on $1 ($2)',
    )
    .replace(
      /^alter table (\S+) add constraint (\w+) unique \((\w+)\)$/,
      'create unique index $2 on $1 ($3)',
    )
    .replace(/^update (\S+) u /, 'update $1 as u ')
    .replaceAll(/\bserial\b/gi, 'integer')
    .replaceAll(/\btimestamptz\b/gi, 'text')
    .split('; ')

const dialects = {
  sqlite: {
    skip: false as string | false,
    async open(t: TestContext): Promise<Database> {
      const db = openSqlite()
      t.after(() => db.destroy())
      return db
    },
    adapt: forSqlite,
  },
  postgres: {
    skip: postgres.skip,
    async open(t: TestContext): Promise<Database> {
      const name = `guide_${process.pid}_${Math.random().toString(36).slice(2)}`
      const admin = new pg.Client(postgres.url)
      await admin.connect()
      await admin.query(`create database ${name}`)
      const url = new URL(postgres.url)
      url.pathname = `/${name}`
      const db = openPostgres(url.href)
      t.after(async () => {
        await db.destroy()
        await admin.query(`drop database ${name}`)
        await admin.end()
      })
      return db
    },
    adapt: (statement: string) => [statement],
  },
} as const

const split = (text: string) =>
  text
    .split(';')
    .map((statement) => statement.trim())
    .filter(Boolean)

/** The SQL of a guide, in the order of the page. */
const statementsOf = (guide: string) =>
  blocksOf(page(`docs/guides/${guide}.md`))
    .filter(({ language }) => language === 'sql')
    .flatMap(({ code }) => split(code))

/** Makes the tables of the other system, runs the guide's statements and then its example. */
async function migrate(
  t: TestContext,
  dialect: keyof typeof dialects,
  { guide, example, old }: { guide: string; example: string; old: string },
) {
  const { open, adapt } = dialects[dialect]
  const db = await open(t)
  for (const statement of [...split(old), ...statementsOf(guide)])
    for (const adapted of adapt(statement)) await sql.raw(adapted).execute(db)
  const app = Fastify()
  t.after(() => app.close())
  const secret = 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-guide'
  const exported = await runExample(t, example, { app, secret, db, users: kyselyUsers(db) })
  await app.ready()
  return { app, db, exported }
}

/** Signs in with the old password, finds the new hash, and signs in again. */
async function signsIn(
  { app, db }: { app: ReturnType<typeof Fastify>; db: Database },
  { table, email, password }: { table: string; email: string; password: string },
) {
  const hashOf = async () =>
    (await db.selectFrom(table).selectAll().where('email', '=', email).executeTakeFirstOrThrow())
      .hashed_password as string
  const before = await hashOf()
  for (const wrong of ['wrong password', before])
    refuses(await new Client(app).login(email, wrong), 'CRUDAUTH_BAD_CREDENTIALS')
  assert.equal(await hashOf(), before)
  assert.equal((await new Client(app).login(email, password)).statusCode, 200)
  assert.match(await hashOf(), /^\$argon2id\$/)
  const client = new Client(app)
  assert.equal((await client.login(email, password)).statusCode, 200)
  return (await client.get('/me')).json()
}

async function registers(app: ReturnType<typeof Fastify>, more: object) {
  const payload = { email: 'bob@example.com', password: 'a quiet sea at noon', ...more }
  const registered = await app.inject({ method: 'POST', url: '/register', payload })
  assert.equal(registered.statusCode, 201, registered.body)
  assert.equal((await new Client(app).login(payload.email, payload.password)).statusCode, 200)
}

for (const [name, { skip }] of Object.entries(dialects)) {
  const dialect = name as keyof typeof dialects

  test(`crudauth guide, ${dialect}: accounts sign in and new ones register`, {
    skip,
  }, async (t) => {
    const opened = await migrate(t, dialect, {
      guide: 'migrate-crudauth',
      example: 'crudauth-passwords',
      old: tables.crudauth,
    })
    const me = await signsIn(opened, { table: 'users', email: 'ada@example.com', password: phrase })
    assert.deepEqual([me.username, me.email_verified, me.has_password], ['ada', true, true])
    const composed = { table: 'users', email: 'eve@example.com', password: `${phrase} ﬁne` }
    await signsIn(opened, composed)
    // This account has signed up with a provider: its hash begins with "!".
    for (const password of ['wrong', '!Zk3n0r2bW1u6c7mE8tQvXw'])
      refuses(await new Client(opened.app).login('oauth', password), 'CRUDAUTH_BAD_CREDENTIALS')
    await registers(opened.app, { username: 'bob' })
  })

  test(`better-auth guide, ${dialect}: accounts sign in and new ones register`, {
    skip,
  }, async (t) => {
    const opened = await migrate(t, dialect, {
      guide: 'migrate-better-auth',
      example: 'better-auth-passwords',
      old: tables.betterAuth,
    })
    const account = { table: 'user', email: 'ada@example.com', password: `${phrase} ﬁne` }
    assert.equal((await signsIn(opened, account)).email_verified, true)
    const rows = await opened.db.selectFrom('user').select(['email', 'google_id']).execute()
    assert.equal(rows.find(({ email }) => email === 'eve@example.com')?.google_id, '1084')
    refuses(await new Client(opened.app).login('eve@example.com', 'x'), 'CRUDAUTH_BAD_CREDENTIALS')
    await registers(opened.app, { name: 'Bob' })
  })

  test(`authjs guide, ${dialect}: accounts sign in, and a provider id is copied`, {
    skip,
  }, async (t) => {
    for (const variable of ['AUTH_GITHUB_ID', 'AUTH_GITHUB_SECRET']) {
      process.env[variable] = 'of the app at GitHub'
      t.after(() => delete process.env[variable])
    }
    const opened = await migrate(t, dialect, {
      guide: 'migrate-authjs',
      example: 'authjs',
      old: tables.authjs,
    })
    const account = { table: 'users', email: 'ada@example.com', password: phrase }
    assert.equal((await signsIn(opened, account)).email_verified, true)
    const rows = await opened.db.selectFrom('users').select(['email', 'github_id']).execute()
    assert.equal(rows.find(({ email }) => email === 'eve@example.com')?.github_id, '583231')
    refuses(await new Client(opened.app).login('eve@example.com', 'x'), 'CRUDAUTH_BAD_CREDENTIALS')
    await registers(opened.app, {})
  })

  test(`lucia guide, ${dialect}: accounts of Lucia 2 sign in and new ones register`, {
    skip,
  }, async (t) => {
    const opened = await migrate(t, dialect, {
      guide: 'migrate-lucia',
      example: 'lucia',
      old: tables.lucia,
    })
    const account = { table: 'auth_user', email: 'ada@example.com', password: phrase }
    assert.equal((await signsIn(opened, account)).email_verified, true)
    await registers(opened.app, {})
  })

  test(`passport guide, ${dialect}: accounts sign in; a long password keeps its hash`, {
    skip,
  }, async (t) => {
    const opened = await migrate(t, dialect, {
      guide: 'migrate-passport',
      example: 'bcrypt-passwords',
      old: tables.passport,
    })
    await signsIn(opened, { table: 'users', email: 'ada@example.com', password: phrase })
    const client = new Client(opened.app)
    assert.equal((await client.login('eve@example.com', longPassword)).statusCode, 200)
    const rows = await opened.db.selectFrom('users').select(['email', 'hashed_password']).execute()
    assert.match(rows.find(({ email }) => email === 'eve@example.com')?.hashed_password, /^\$2b\$/)
    await registers(opened.app, { username: 'bob' })
  })
}

test('docs: the examples with legacy verifiers sign in users of Django, bcrypt and Firebase', async (t) => {
  process.env.FIREBASE_SIGNER_KEY = firebaseParameters.signerKey
  t.after(() => delete process.env.FIREBASE_SIGNER_KEY)
  const cheapest = (set: {
    vectors: readonly { slow?: boolean; hash: string; password: string }[]
  }) => set.vectors.find(({ slow = false }) => !slow)
  const [firebase] = vectorSets.firebaseHashes.vectors
  const [, salt = '', passwordHash = ''] = firebase?.hash.split(':') ?? []
  const examples = {
    'legacy-verifiers': [cheapest(vectorSets.djangoHashes), cheapest(vectorSets.bcryptHashes)],
    'firebase-hashes': [firebase],
    'own-verifier': [
      {
        password: phrase,
        // Python: hashlib.pbkdf2_hmac('sha256', phrase, bytes(range(16)), 310_000).
        hash: '000102030405060708090a0b0c0d0e0f:a9d6067a0d4ff0ffbdc1873509c2fc59e6ace673abce1048e0cce4ab2f588fbc',
      },
    ],
  }
  for (const [example, vectors] of Object.entries(examples)) {
    const app = Fastify()
    t.after(() => app.close())
    const users = memoryUsers()
    const secret = 'k3J9x0Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0Gs-guide'
    const { hashOf } = await runExample(t, example, { app, secret, users })
    for (const [index, vector] of vectors.entries()) {
      assert.ok(vector)
      const hashedPassword =
        typeof hashOf === 'function' ? hashOf({ salt, passwordHash }) : vector.hash
      const username = `user${index}`
      await users.create({ email: `${username}@example.com`, username, hashedPassword })
      refuses(await new Client(app).login(username, 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
      assert.equal((await new Client(app).login(username, vector.password)).statusCode, 200)
      const row = await users.findBy('username', username)
      assert.match(String(row?.hashedPassword), /^\$argon2id\$/)
    }
  }
})
