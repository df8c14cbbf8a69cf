import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CamelCasePlugin } from 'kysely'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { answers } from '../helpers/answers.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { openSqlite } from '../helpers/sqlite.js'

const statements = [
  `create table user_accounts (
    id integer primary key, email text not null unique, username text unique,
    hashed_password text, is_active integer not null default true,
    is_superuser integer not null default false, email_verified integer not null default false,
    token_version integer not null default 0, created_at text not null, updated_at text not null
  )`,
]

/** The names that the plugin shows. */
const columns = Object.fromEntries(
  [
    ...['hashedPassword', 'isActive', 'isSuperuser', 'emailVerified'],
    ...['tokenVersion', 'createdAt', 'updatedAt'],
  ].map((name) => [name, name]),
)

test('sqlite: with CamelCasePlugin, an app starts, registers and signs in', async (t) => {
  const db = openSqlite(':memory:', statements).withPlugin(new CamelCasePlugin())
  t.after(() => db.destroy())
  const users = kyselyUsers(db, { table: 'userAccounts', columns })
  const app = await build(t, { auth: { users } })
  const ada = await signedIn(app, 'ada')
  assert.equal(answers(await ada.get('/me'), 200).username, 'ada')
  answers(await new Client(app).login('ada'), 200)
})

test('sqlite: with CamelCasePlugin, a missing column is named as in the database', async (t) => {
  const [create = ''] = statements
  const db = openSqlite(':memory:', [create.replace('token_version', 'tokens')]).withPlugin(
    new CamelCasePlugin(),
  )
  t.after(() => db.destroy())
  const users = kyselyUsers(db, { table: 'userAccounts', columns })
  await assert.rejects(build(t, { auth: { users } }), {
    code: 'CRUDAUTH_CONFIG',
    message: /no column "token_version" for "tokenVersion"/,
  })
})
