import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { type CrudAuthOptions, memoryUsers, type UserStore } from '../../src/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { backends } from '../helpers/backends.js'
import { openMariadb, openPostgres, serverOf } from '../helpers/databases.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import {
  ada,
  Browser,
  browserOf,
  buildOAuth,
  fields,
  landsOn,
  refusesCallback,
} from '../helpers/oauth.js'
import { clusterServers, newPrefix, openCluster, removeKeys } from '../helpers/redis.js'
import { createUsersTable, type Dialect, openSqlite } from '../helpers/tables.js'

/** A users table with columns for two providers. */
// biome-ignore lint/suspicious/noExplicitAny: tables are made by each test
async function table(t: TestContext, db: Kysely<any>, dialect: Dialect): Promise<UserStore> {
  const { name, options, drop } = await createUsersTable(db, dialect)
  t.after(async () => {
    await drop()
    await db.destroy()
  })
  const time =
    dialect === 'postgres' ? 'timestamptz(3)' : dialect === 'mysql' ? 'datetime(3)' : 'text'
  const columns = {
    acmeId: 'acme_id',
    otherId: 'other_id',
    oauthProvider: 'oauth_provider',
    oauthUpdatedAt: 'oauth_updated_at',
  }
  for (const column of Object.values(columns)) {
    await sql
      .raw(
        `alter table ${name} add column ${column} ${column.endsWith('_at') ? time : 'varchar(255)'}`,
      )
      .execute(db)
  }
  for (const column of ['acme_id', 'other_id']) {
    await sql.raw(`create unique index ${name}_${column} on ${name} (${column})`).execute(db)
  }
  return kyselyUsers(db, { ...options, columns })
}

/** Memory users with random delays, so that parallel requests interleave between any two steps. */
function slowUsers(): UserStore {
  const inner = memoryUsers({ fields })
  const slow =
    <A extends unknown[], R>(verb: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await delay(Math.random() * 4)
      const answer = await verb(...args)
      await delay(Math.random() * 4)
      return answer
    }
  return {
    fields: inner.fields,
    findById: slow(inner.findById),
    findBy: slow(inner.findBy),
    create: slow(inner.create),
    update: slow(inner.update),
    compareAndSet: slow(inner.compareAndSet),
  }
}

/** The store, and the ids of the rows that it has created. */
function creations(inner: UserStore) {
  const ids: unknown[] = []
  const store: UserStore = {
    ...inner,
    async create(values) {
      const row = await inner.create(values)
      ids.push(row.id)
      return row
    },
  }
  return { store, ids }
}

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

const stores: {
  name: string
  skip?: string | false
  open: (t: TestContext) => Promise<UserStore>
}[] = [
  { name: 'slow memory users', open: async () => slowUsers() },
  {
    name: 'SQLite',
    async open(t) {
      const folder = mkdtempSync(join(tmpdir(), 'crudauth-oauth-'))
      const store = await table(t, openSqlite(join(folder, 'users.db')), 'sqlite')
      t.after(() => rmSync(folder, { recursive: true, force: true }))
      return store
    },
  },
  {
    name: 'PostgreSQL',
    skip: postgres.skip,
    open: (t) => table(t, openPostgres(postgres.url), 'postgres'),
  },
  { name: 'MariaDB', skip: mariadb.skip, open: (t) => table(t, openMariadb(mariadb.url), 'mysql') },
]

/** Sign-up, sign-in, linking, the owner's sign-in to a pre-registered account, unlinking. */
async function mainFlow(t: TestContext, auth: Partial<CrudAuthOptions>) {
  const { app } = await buildOAuth(t, { auth })
  const browser = new Browser(app)
  landsOn(await browser.signIn(ada, 'acme', '?redirect_to=/home&remember_me=1'), '/home')
  const id = (await browser.me()).user_id
  landsOn(await browser.signIn(ada), '/start')
  assert.equal((await browser.me()).user_id, id)
  refusesCallback(
    await browser.signIn({ ...ada, email_verified: false }, 'other'),
    'email_unverified',
  )
  landsOn(
    await browser.link({ sub: 'ada-at-other' }, 'other', { redirect_to: '/settings' }),
    '/settings',
  )
  const accounts = (await browser.get('/oauth/accounts')).json()
  assert.deepEqual(
    accounts.map(({ provider }: { provider: string }) => provider),
    ['acme', 'other'],
  )
  assert.equal(new Date(accounts[1].linked_at).getUTCFullYear(), new Date().getUTCFullYear())
  const foreign = await browserOf(app, 'ann')
  landsOn(
    await foreign.link({ sub: 'ada-at-other' }, 'other'),
    '/start?error=oauth_linked_elsewhere',
  )
  const owner = new Browser(app)
  landsOn(
    await owner.signIn({ sub: 'ann', email: 'ann@example.com', email_verified: true }),
    '/start',
  )
  assert.equal(await foreign.me(), null)
  assert.equal((await new Browser(app).login('ann')).statusCode, 401)
  assert.equal((await browser.delete('/oauth/acme')).statusCode, 200)
  assert.equal((await browser.delete('/oauth/other')).statusCode, 409)
  landsOn(await browser.signIn({ sub: 'ada-at-other' }, 'other'), '/start')
  assert.equal((await browser.me()).user_id, id)
}

for (const { name, skip, open } of stores) {
  const backend = backends[backends.length - 1] as (typeof backends)[number]
  const options = { skip: skip ?? false }

  test(
    `${backend.name}, ${name}: OAuth: sign-up, sign-in, linking and unlinking work`,
    options,
    async (t) => {
      await mainFlow(t, { ...backend.options(), users: await open(t) })
    },
  )

  for (const email_verified of [true, false]) {
    test(
      `${backend.name}, ${name}: OAuth: 50 parallel sign-ups by one person share one account (address ${email_verified ? '' : 'not '}verified)`,
      options,
      async (t) => {
        noUnhandledRejections(t)
        const { store, ids } = creations(await open(t))
        const { app } = await buildOAuth(t, { auth: { ...backend.options(), users: store } })
        const person = { ...ada, email_verified }
        const browsers = await Promise.all(
          times(50, async () => {
            const browser = new Browser(app)
            return { browser, query: await browser.begin() }
          }),
        )
        const answers = await Promise.all(
          browsers.map(({ browser, query }) => browser.finish(query, person)),
        )
        assert.deepEqual(
          statuses(answers),
          { 302: 50 },
          answers.find(({ statusCode }) => statusCode !== 302)?.body,
        )
        assert.equal(ids.length, 1, 'one row was created')
        const owners = new Set<unknown>()
        // At most five sessions stay valid, and all of them belong to one account.
        for (const { browser } of browsers) owners.add((await browser.me())?.user_id)
        owners.delete(undefined)
        assert.deepEqual([...owners], ids)
      },
    )
  }

  test(
    `${backend.name}, ${name}: account matching: 50 parallel sign-ins of an existing account's owner all succeed`,
    options,
    async (t) => {
      noUnhandledRejections(t)
      const { store, ids } = creations(await open(t))
      const { app } = await buildOAuth(t, { auth: { ...backend.options(), users: store } })
      await browserOf(app, 'ada')
      const browsers = await Promise.all(
        times(50, async () => {
          const browser = new Browser(app)
          return { browser, query: await browser.begin() }
        }),
      )
      const answers = await Promise.all(
        browsers.map(({ browser, query }) => browser.finish(query, ada)),
      )
      assert.deepEqual(
        statuses(answers),
        { 302: 50 },
        answers.find(({ statusCode }) => statusCode !== 302)?.body,
      )
      for (const { headers } of answers) assert.equal(headers.location, '/start')
      assert.equal(ids.length, 1, 'no second row was created')
    },
  )
}

const cluster = clusterServers()

test('Redis Cluster: OAuth: sign-up, sign-in, linking and unlinking work', {
  skip: cluster.skip,
}, async (t) => {
  const keyPrefix = newPrefix()
  const redis = openCluster(cluster.address)
  t.after(async () => {
    await removeKeys(redis, keyPrefix)
    redis.disconnect()
  })
  await mainFlow(t, { redis, keyPrefix })
})
