import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { type CrudAuthOptions, memoryUsers, type UserStore } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { serverUrl, uniquePrefix } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { openMariadb, openPostgres, serverOf } from '../helpers/databases.js'
import { addressOf, mailApp, next, standing, tokensOf } from '../helpers/email.js'
import { places } from '../helpers/races.js'
import { openCluster } from '../helpers/redis.js'
import { createUsersTable, type Dialect, openSqlite } from '../helpers/tables.js'

const invalid = 'CRUDAUTH_TOKEN_INVALID_OR_USED'

type Options = (t: TestContext) => Promise<Partial<CrudAuthOptions> & { users: UserStore }>

const cluster = serverUrl('TEST_REDIS_CLUSTER')
const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

async function onCluster(t: TestContext) {
  const redis = openCluster(cluster ?? '')
  t.after(() => redis.disconnect())
  return { redis: redis as never, keyPrefix: uniquePrefix(), users: memoryUsers() }
}

/** A table with other column names, UUID ids and provider ids. */
async function legacy(t: TestContext, dialect: Dialect) {
  const db =
    dialect === 'sqlite'
      ? openSqlite()
      : dialect === 'postgres'
        ? openPostgres(postgres.url)
        : openMariadb(mariadb.url)
  const table = await createUsersTable(db, dialect, 'legacy')
  t.after(async () => {
    await table.drop()
    await db.destroy()
  })
  return { users: kyselyUsers(db, table.options) as UserStore }
}

const everywhere: { name: string; options: Options }[] = [
  ...(places as unknown as { name: string; options: Options }[]).map(({ name, options }) => ({
    name,
    options,
  })),
  ...(cluster ? [{ name: 'Redis Cluster, memory users', options: onCluster }] : []),
  { name: 'memory, legacy table in SQLite', options: (t) => legacy(t, 'sqlite') },
  ...(postgres.skip
    ? []
    : [
        {
          name: 'memory, legacy table in PostgreSQL',
          options: (t: TestContext) => legacy(t, 'postgres'),
        },
      ]),
  ...(mariadb.skip
    ? []
    : [
        {
          name: 'memory, legacy table in MariaDB',
          options: (t: TestContext) => legacy(t, 'mysql'),
        },
      ]),
]

/** The row of a user, by logical fields. */
async function logical(users: UserStore, name: string): Promise<Record<string, unknown>> {
  const row = (await users.findBy('username', name)) as Record<string, unknown> | null
  assert.ok(row, name)
  return Object.fromEntries(
    Object.entries(users.fields.columns).map(([field, column]) => [field, row[column]]),
  )
}

for (const { name, options } of everywhere) {
  const open = async (t: TestContext) => {
    const auth = await options(t)
    return mailApp(t, { name, options: () => ({}) }, { auth })
  }

  test(`${name}: verification, reset, change and revert work, each token once`, async (t) => {
    const { app, anyone, mail, users } = await open(t)
    const is = async (expected: Record<string, unknown>) => {
      const row = await logical(users, 'ann')
      const found = {
        email: row.email,
        verified: Boolean(row.emailVerified),
        version: Number(row.tokenVersion),
      }
      assert.deepEqual(found, expected)
    }
    const client = new Client(app)
    answers(await client.register('ann'), 202)
    await is({ email: addressOf('ann'), verified: false, version: 0 })
    const verify = await mail.token(addressOf('ann'), 'verify_email')
    answers(await anyone.post('/email/verify-confirm', { token: verify }), 200)
    refusesOwn(await anyone.post('/email/verify-confirm', { token: verify }), invalid)
    await is({ email: addressOf('ann'), verified: true, version: 0 })

    answers(await client.login('ann'), 200)
    const tokens = await tokensOf(app, 'ann')
    answers(
      await client.post('/email/change-request', { new_email: 'new@example.com', password }),
      202,
    )
    const change = await mail.token('new@example.com', 'change_email')
    answers(await anyone.post('/email/change-confirm', { token: change }), 200)
    refusesOwn(await anyone.post('/email/change-confirm', { token: change }), invalid)
    await is({ email: 'new@example.com', verified: true, version: 0 })
    assert.equal((await client.get('/me')).statusCode, 200)

    answers(
      await anyone.post('/register', { email: addressOf('ann'), username: 'eve', password }),
      202,
    )
    assert.equal(await users.findBy('username', 'eve'), null, 'the old address is reserved')
    const revert = await mail.token(addressOf('ann'), 'email_changed')
    answers(await anyone.post('/email/change-revert', { token: revert }), 200)
    refusesOwn(await anyone.post('/email/change-revert', { token: revert }), invalid)
    await is({ email: addressOf('ann'), verified: true, version: 1 })
    assert.deepEqual(await standing(app, client, tokens), [401, 401, 401])

    answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
    const reset = await mail.token(addressOf('ann'), 'reset_password')
    answers(await anyone.post('/password/reset-confirm', { token: reset, new_password: next }), 200)
    refusesOwn(
      await anyone.post('/password/reset-confirm', { token: reset, new_password: password }),
      invalid,
    )
    await is({ email: addressOf('ann'), verified: true, version: 2 })
    answers(await client.login('ann', next), 200)
    await mail.next(addressOf('ann'), 'password_changed')
  })

  test(`${name}: sign-up and change-confirm detect taken addresses and usernames`, async (t) => {
    const { app, anyone, mail, users } = await open(t)
    const client = new Client(app)
    answers(await client.register('ann'), 202)
    answers(await client.login('ann'), 200)
    const known = await anyone.post('/register', {
      email: addressOf('ann'),
      username: 'eve',
      password,
    })
    const fresh = await anyone.register('bob')
    assert.equal(answers(known, 202).detail, answers(fresh, 202).detail)
    await mail.next(addressOf('ann'), 'existing_account')
    assert.equal(await users.findBy('username', 'eve'), null)
    refusesOwn(
      await anyone.post('/register', { email: addressOf('ann'), username: 'bob', password }),
      'CRUDAUTH_DUPLICATE',
    )

    answers(
      await client.post('/email/change-request', { new_email: addressOf('carl'), password }),
      202,
    )
    const token = await mail.token(addressOf('carl'), 'change_email')
    answers(await anyone.register('carl'), 202)
    refusesOwn(await anyone.post('/email/change-confirm', { token }), 'CRUDAUTH_DUPLICATE')
    assert.equal((await logical(users, 'ann')).email, addressOf('ann'))
  })

  test(`${name}: a reset of an unverified account clears its provider ids, if the table has them`, async (t) => {
    const { anyone, mail, users } = await open(t)
    if (users.fields.columns.googleId === undefined) return
    answers(await anyone.register('ann'), 202)
    const { id } = await logical(users, 'ann')
    assert.ok(await users.update(id as string, { googleId: 'of-the-squatter', githubId: '7' }))
    answers(await anyone.post('/password/reset-request', { email: addressOf('ann') }), 202)
    const token = await mail.token(addressOf('ann'), 'reset_password')
    answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
    const { googleId, githubId, emailVerified } = await logical(users, 'ann')
    assert.deepEqual(
      [googleId ?? null, githubId ?? null, Boolean(emailVerified)],
      [null, null, true],
    )
  })
}
