import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { moduleUrl } from '../helpers/child.js'
import { serverOf } from '../helpers/databases.js'
import { appWith, examineApp } from './apps.js'

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')
const redisUrl = process.env.TEST_REDIS_URL

const sqlite = (columns: string) => `
import Database from 'libsql'
const database = new Database(':memory:')
database.exec('create table users (${columns})')
const db = new kysely.Kysely({ dialect: new kysely.SqliteDialect({ database }) })
${appWith("secret, users: kyselyUsers(db), identity: { login: ['email'] }")}`

test('doctor: missing columns must be fixed, each on a line of its own', async (t) => {
  const { code, stdout, all } = await examineApp(
    t,
    sqlite('id integer primary key, email text not null, hashed_password text'),
  )
  assert.equal(code, 1, all)
  assert.match(stdout, /^✖ Table "users" has no column "is_active"/m)
  assert.match(stdout, /^✖ Table "users" has no column "token_version"/m)
  assert.match(stdout, /^✖ Column "email" .* must be unique/m)
  assert.match(stdout, /^✔ SQLite 3\.\d+\.\d+ answers\.$/m)
})

const passkeys = (key: string) => `
import Database from 'libsql'
import { kyselyPasskeys } from '${moduleUrl('src/passkey-stores/kysely.ts')}'
const database = new Database(':memory:')
database.exec(\`create table passkeys (id text primary key not null, user_id integer not null,
  user_handle text not null, credential_id text not null ${key}, public_key text not null,
  counter integer not null, transports text not null, aaguid text not null, name text not null,
  backed_up integer not null, created_at text not null, last_used_at text)\`)
const db = new kysely.Kysely({ dialect: new kysely.SqliteDialect({ database }) })
${appWith("secret, users: memoryUsers(), passkeys: { rpName: 'App', rpId: 'app.example.com', origins: ['https://app.example.com'], store: kyselyPasskeys(db) }")}`

test('doctor: the table of passkeys is compared with its store', async (t) => {
  const { stdout: fits, all } = await examineApp(t, passkeys('unique'))
  assert.match(fits, /^✔ The passkey store answers\.$/m, all)
  const { code, stdout } = await examineApp(t, passkeys(''))
  assert.equal(code, 1)
  assert.match(stdout, /^✖ Column "credential_id" .* must be unique for "credentialId"/m)
  assert.doesNotMatch(stdout, /passkey store answers/)
})

/** A server that speaks enough of the protocol of Redis to say its version. */
async function fakeRedis(t: TestContext, info: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const text = data.toString().toLowerCase()
      for (const command of text.split(/(?=\*\d+\r\n)/))
        socket.write(
          command.includes('\r\ninfo\r\n') ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n',
        )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const withRedis = appWith('secret, users: memoryUsers(), redis: process.env.CACHE')

test('doctor: a text that is no URL of Redis is reported once', async (t) => {
  const { stdout } = await examineApp(t, withRedis, { env: { CACHE: 'localhost:6379' } })
  assert.match(stdout, /✖ "redis" must be a URL/)
  assert.doesNotMatch(stdout, /Redis doesn't answer/)
})

test('doctor: a Redis that is too old, or evicts keys, is reported', async (t) => {
  const url = await fakeRedis(
    t,
    'redis_version:6.0.16\r\nloading:0\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n',
  )
  const { code, stdout, all } = await examineApp(t, withRedis, { env: { CACHE: url } })
  assert.equal(code, 1, all)
  assert.match(stdout, /✖ Redis 6\.0\.16 is too old; use Redis 6\.2 or later/)
  assert.match(stdout, /! Redis evicts keys .* allkeys-lru/)
})

test('doctor: an unreachable Redis must be fixed, and its password is not printed', async (t) => {
  const env = { CACHE: 'redis://ada:hunter2hunter2@127.0.0.1:1' }
  const { code, stdout, all } = await examineApp(t, withRedis, { env })
  assert.equal(code, 1, all)
  assert.match(stdout, /✖ Redis doesn't answer \(ECONNREFUSED\)/)
  assert.ok(!all.includes('hunter2'))
})

test('doctor: a Redis that answers is reported with its version', {
  skip: redisUrl ? false : 'TEST_REDIS_URL is not set',
}, async (t) => {
  const result = await examineApp(t, withRedis, { env: { CACHE: redisUrl ?? '' } })
  assert.equal(result.code, 0, result.all)
  assert.match(result.stdout, /✔ Redis \d+\.\d+\.\d+ answers/)
  const own = `import { Redis } from 'ioredis'
const client = new Redis(process.env.CACHE)
${appWith('secret, users: memoryUsers(), redis: client')}
app.addHook('onClose', async () => { await client.ping(); await client.quit() })`
  const given = await examineApp(t, own, { env: { CACHE: redisUrl ?? '' } })
  assert.equal(given.code, 0, given.all)
  assert.match(given.stdout, /✔ Redis \d/)
})

const withPostgres = `import pg from 'pg'
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
const db = new kysely.Kysely({ dialect: new kysely.PostgresDialect({ pool }) })
${appWith("secret, users: kyselyUsers(db, { table: 'no_such_table' }), state: kyselyState(db)")}
app.addHook('onClose', () => db.destroy())`

test('doctor: an unreachable database must be fixed, and its password is not printed', async (t) => {
  const env = { DATABASE_URL: 'postgres://ada:hunter2hunter2@127.0.0.1:1/app' }
  const { code, stdout, all } = await examineApp(t, withPostgres, { env })
  assert.equal(code, 1, all)
  assert.match(stdout, /✖ The SQL database doesn't answer \(ECONNREFUSED\)/)
  assert.match(stdout, /✖ The user store doesn't answer \(ECONNREFUSED\)/)
  assert.match(stdout, /✖ The stores of "state" don't answer/)
  assert.ok(!all.includes('hunter2'))
})

test('doctor: PostgreSQL is reported with its version, and missing tables must be fixed', {
  skip: postgres.skip,
}, async (t) => {
  const env = { DATABASE_URL: postgres.url }
  const { code, stdout, all } = await examineApp(t, withPostgres, { env })
  assert.equal(code, 1, all)
  assert.match(stdout, /✔ PostgreSQL \d+(?:\.\d+)? answers/)
  assert.match(stdout, /✖ .*no_such_table|✖ .*crudauth_store/)
})

test('doctor: MariaDB is reported with its version', { skip: mariadb.skip }, async (t) => {
  const code = `import { createPool } from 'mysql2'
const db = new kysely.Kysely({ dialect: new kysely.MysqlDialect({ pool: createPool(process.env.DATABASE_URL) }) })
${appWith("secret, users: kyselyUsers(db, { table: 'no_such_table' })")}`
  const { stdout, all } = await examineApp(t, code, { env: { DATABASE_URL: mariadb.url } })
  assert.match(stdout, /✔ MariaDB \d+\.\d+\.\d+ answers/, all)
  assert.match(stdout, /✖ There is no table "no_such_table"/)
})
