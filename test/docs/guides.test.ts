import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { hash } from 'bcryptjs'
import Fastify from 'fastify'
import { sql } from 'kysely'
import crudAuth, {
  bearerTransport,
  type LegacyVerifier,
  memoryUsers,
  sessionTransport,
} from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { openSqlite } from '../helpers/sqlite.js'
import { runExample } from './load.js'

const ada = { email: 'ada@example.com', username: 'ada', password }

test('testing guide: the collected email has the token that verifies the address', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const users = memoryUsers()
  const { token, outbox } = await runExample(t, 'testing-email', { app, secret, users })
  assert.equal((outbox as object[]).length, 1)
  const confirmed = await app.inject({
    method: 'POST',
    url: '/email/verify-confirm',
    payload: { token: String(token) },
  })
  assert.equal(confirmed.statusCode, 200, confirmed.body)
  assert.equal((await users.findById(1))?.emailVerified, true)
})

test('prefixes guide: a session of one tenant does not authenticate at another', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  for (const name of ['ACME_SECRET', 'GLOBEX_SECRET']) {
    process.env[name] = `${secret}-${name}`
    t.after(() => delete process.env[name])
  }
  await runExample(t, 'tenants', { app })
  const cookies: Record<string, string> = {}
  for (const tenant of ['acme', 'globex']) {
    const registered = await app.inject({
      method: 'POST',
      url: `/${tenant}/register`,
      payload: ada,
    })
    assert.equal(registered.statusCode, 201)
    const login = await app.inject({ method: 'POST', url: `/${tenant}/login`, payload: ada })
    assert.ok(login.cookies.every(({ path }) => path === `/${tenant}`))
    cookies[tenant] = login.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  }
  const ask = async (tenant: string, cookie: string | undefined) =>
    (await app.inject({ url: `/${tenant}/dashboard`, headers: { cookie: cookie ?? '' } }))
      .statusCode
  assert.equal(await ask('acme', cookies.acme), 200)
  assert.equal(await ask('globex', cookies.globex), 200)
  assert.equal(await ask('globex', cookies.acme), 401)
  assert.equal(await ask('acme', cookies.globex), 401)
})

interface ApiClient {
  signIn(username: string, password: string): Promise<void>
  signOut(): Promise<void>
  fetch(path: string, init?: RequestInit): Promise<Response>
}

test('mobile guide: the client refreshes once for parallel requests, and signs out', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [sessionTransport(), bearerTransport({ refresh: 'body', accessSeconds: 1 })],
  })
  let refreshes = 0
  app.addHook('onRequest', async ({ url }) => {
    if (url === '/auth/refresh') refreshes++
  })
  app.get('/notes', { onRequest: app.currentUser() }, async () => ['a note'])
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  assert.ok((app.server.address() as AddressInfo).port)
  await app.inject({ method: 'POST', url: '/auth/register', payload: ada })

  const { ApiClient } = (await runExample(t, 'mobile-client', {})) as {
    ApiClient: new (url: string, store: object) => ApiClient
  }
  let stored: string | null = null
  const store = {
    load: async () => stored,
    save: async (token: string | null) => {
      stored = token
    },
  }
  const client = new ApiClient(url, store)
  // The clock moves only where the test moves it: a token of one second expires at no other time.
  const startMs = Date.now()
  let aheadMs = 0
  t.mock.method(Date, 'now', () => startMs + aheadMs)
  await assert.rejects(client.signIn('ada', 'wrong'), { code: 'CRUDAUTH_BAD_CREDENTIALS' })
  await client.signIn('ada', password)
  assert.equal((await client.fetch('/notes')).status, 200)

  aheadMs = 5000
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.fetch('/notes')))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
  assert.equal(refreshes, 1)

  const ended = stored
  await client.signOut()
  assert.equal(stored, null)
  aheadMs = 10_000
  assert.equal((await client.fetch('/notes')).status, 401)
  const again = await app.inject({
    method: 'POST',
    url: '/auth/refresh',
    payload: { refresh_token: ended },
  })
  assert.equal(again.statusCode, 401)
})

test('passport guide: a bcrypt hash signs in and is replaced', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const users = memoryUsers()
  await users.create({
    email: ada.email,
    username: 'ada',
    hashedPassword: await hash(password, 4),
  })
  await runExample(t, 'bcrypt-passwords', { app, secret, users })
  assert.equal((await new Client(app).login('ada', 'wrong password')).statusCode, 401)
  assert.equal((await new Client(app).login('ada')).statusCode, 200)
  assert.match(String((await users.findById(1))?.hashedPassword), /^\$argon2id\$/)
})

test('better-auth guide: its table works, and a scrypt hash of another library signs in', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const db = openSqlite()
  t.after(() => db.destroy())
  await sql
    .raw(`create table "user" (
      id text primary key, name text not null, email text not null unique,
      emailVerified integer not null default 0, image text, createdAt text not null,
      updatedAt text not null, hashed_password text, token_version integer not null default 0,
      google_id varchar(255) unique)`)
    .execute(db)
  // Made by Python's hashlib.scrypt over the NFKC form of the password.
  const stored =
    '1c50892c354da5b23ec3b5007649bc6e:237ca18312d8fe5196f49e64018f2850b8f12d4f6d9aa2764043275366f472c82135db7e2cbd2d61f823d41bf53c70376e247db0f1c7dd6a154729b6bd9e6962'
  const at = new Date().toISOString()
  await db
    .insertInto('user')
    .values({
      id: 'Yx7',
      name: 'Ada',
      email: ada.email,
      emailVerified: 1,
      createdAt: at,
      updatedAt: at,
      hashed_password: stored,
    })
    .execute()
  const { betterAuth } = (await runExample(t, 'better-auth-passwords', { app, secret, db })) as {
    betterAuth: LegacyVerifier
  }
  await app.ready()
  assert.equal(betterAuth.matches(stored), true)
  const client = new Client(app)
  assert.equal((await client.login(ada.email, 'correct horse battery')).statusCode, 401)
  assert.equal((await client.login(ada.email, 'correct horse battery ﬁne')).statusCode, 200)
  const row = await db.selectFrom('user').selectAll().executeTakeFirstOrThrow()
  assert.match(row.hashed_password, /^\$argon2id\$/)
  const registered = await app.inject({
    method: 'POST',
    url: '/register',
    payload: { email: 'bob@example.com', password: 'a quiet sea at noon', name: 'Bob' },
  })
  assert.equal(registered.statusCode, 201, registered.body)
})
