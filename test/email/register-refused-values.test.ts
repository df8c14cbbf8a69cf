import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { openMariadb, openPostgres, serverOf } from '../helpers/databases.js'
import { addressOf, mailApp } from '../helpers/email.js'
import { openSqlite } from '../helpers/sqlite.js'

/** Values that only the database refuses must not tell whether an address is known. */
const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')
const databases = [
  {
    name: 'SQLite',
    skip: false,
    open: () => openSqlite(),
    id: 'integer primary key',
    time: 'text',
  },
  {
    name: 'PostgreSQL',
    skip: postgres.skip,
    open: () => openPostgres(postgres.url),
    id: 'integer generated always as identity primary key',
    time: 'timestamptz(3)',
  },
  {
    name: 'MariaDB',
    skip: mariadb.skip,
    open: () => openMariadb(mariadb.url),
    id: 'integer auto_increment primary key',
    time: 'datetime(3)',
  },
] as const

/** Values that the table refuses. SQLite ignores the length of a `varchar`. */
const refusedBy = (name: string) => [
  { plan: 'none' },
  { size: -1 },
  ...(name === 'SQLite' ? [] : [{ plan: 'much too long' }]),
]

for (const backend of backends) {
  for (const { name, skip, open, id, time } of databases) {
    const setUp = async (t: TestContext) => {
      // biome-ignore lint/suspicious/noExplicitAny: the table is made here
      const db: Kysely<any> = open()
      const table = `users_${randomBytes(6).toString('hex')}`
      await sql
        .raw(
          `create table ${table} (id ${id}, email varchar(255) not null unique, username varchar(255) unique, hashed_password varchar(255), is_active integer, is_superuser integer, email_verified integer, token_version integer, created_at ${time} null, updated_at ${time} null, plan varchar(6) check (plan <> 'none'), size integer check (size > 0))`,
        )
        .execute(db)
      t.after(async () => {
        await sql.raw(`drop table ${table}`).execute(db)
        await db.destroy()
      })
      const made = await mailApp(t, backend, {
        auth: {
          users: kyselyUsers(db, { table, booleans: 'number' }),
          registration: { extraFields: ['plan', 'size'] },
        },
      })
      let at = 0
      const signUp = (email: string, more: object) =>
        new Client(made.app).post('/register', { email, username: `eve${at++}`, password, ...more })
      const rows = async () =>
        (await sql.raw(`select * from ${table} order by id`).execute(db)).rows
      return { ...made, signUp, rows }
    }

    test(`${backend.name}, ${name}: POST /register: a value that the database refuses is 400 for every address`, {
      skip,
    }, async (t) => {
      const { join, move, signUp, rows, sendsNothing } = await setUp(t)
      await move(await join('ann'), addressOf('ann'), 'new@example.com')
      const before = await rows()
      await sendsNothing(async () => {
        for (const more of refusedBy(name)) {
          const bodies = new Set<string>()
          for (const email of ['free@example.com', 'new@example.com', addressOf('ann')]) {
            const response = await signUp(email, more)
            refusesOwn(response, 'CRUDAUTH_BAD_REQUEST')
            bodies.add(response.body)
          }
          assert.equal(bodies.size, 1)
        }
      })
      assert.deepEqual(await rows(), before)
    })

    test(`${backend.name}, ${name}: POST /register: a known or reserved address leaves its row as it is`, {
      skip,
    }, async (t) => {
      const { join, move, signUp, rows, mail } = await setUp(t)
      await move(await join('ann'), addressOf('ann'), 'new@example.com')
      const before = await rows()
      for (const email of ['new@example.com', addressOf('ann')]) {
        answers(await signUp(email, { plan: 'free', size: 1 }), 202)
        await mail.next(email, 'existing_account')
      }
      assert.deepEqual(await rows(), before)
    })
  }
}
