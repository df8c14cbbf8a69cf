import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kysely, MysqlDialect, sql } from 'kysely'
import { createPool } from 'mysql2'
import { kyselyState, stateTables } from '../../src/state/kysely/index.js'
import { openAsMysql, openMariadb, serverOf } from '../helpers/databases.js'
import { stateKits } from '../helpers/state.js'
import { newTables } from '../helpers/tables.js'

const { url, skip } = serverOf('TEST_MARIADB_URL')

for (const [name, open] of [
  ['MariaDB', openMariadb],
  ['MySQL', openAsMysql],
] as const)
  stateKits(
    name,
    'mysql',
    () => open(url),
    (title, run) => test(title, { skip }, run),
  )

test('MariaDB: verify refuses a connection that assigns simultaneously', { skip }, async (t) => {
  const pool = createPool({ uri: url, connectionLimit: 1 })
  pool.on('connection', (connection) => {
    connection.query("set session sql_mode = concat(@@sql_mode, ',SIMULTANEOUS_ASSIGNMENT')")
  })
  const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) })
  const tables = newTables()
  t.after(async () => {
    await sql`drop table ${sql.table(tables.store)}, ${sql.table(tables.counters)}`.execute(db)
    await db.destroy()
  })
  for (const statement of stateTables('mysql', tables)) await sql.raw(statement).execute(db)
  const state = kyselyState(db, { tables })
  await assert.rejects(async () => state.verify?.(), {
    code: 'CRUDAUTH_CONFIG',
    message: /has SIMULTANEOUS_ASSIGNMENT.*remove it$/,
  })
})
