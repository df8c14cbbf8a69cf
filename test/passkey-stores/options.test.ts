import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { sql } from 'kysely'
import { memoryPasskeys, type PasskeyStore } from '../../src/index.js'
import { drizzlePasskeys } from '../../src/passkey-stores/drizzle.js'
import { kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import { prismaPasskeys } from '../../src/passkey-stores/prisma.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import {
  createPasskeysTable,
  drizzlePasskeysOf,
  passkeyColumns,
} from '../helpers/passkeys-table.js'

const config = (message: RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, 'CRUDAUTH_CONFIG')
  assert.match(error.message, message)
  return true
}

test('passkeys: wrong options are refused with what to write instead', async (t) => {
  const { orm, db } = openDrizzle('sqlite')
  t.after(() => db.destroy())
  const table = drizzlePasskeysOf('sqlite', 'passkeys')
  const { publicKey: _, ...fewer } = table
  const wrong: [make: () => unknown, message: RegExp][] = [
    [() => kyselyPasskeys(db, { table: 'a; drop table b' }), /"table" must be a table's name/],
    [() => kyselyPasskeys(db, { columns: { name: 'a"b' } }), /"columns\.name" must be a column's/],
    [() => kyselyPasskeys(db, { columns: { name: null as never } }), /Passkeys need "name"/],
    [() => kyselyPasskeys(db, { columns: { name: 'aaguid' } }), /are both the column "aaguid"/],
    [() => kyselyPasskeys({} as never), /kyselyPasskeys\(db\) needs a Kysely instance/],
    [() => drizzlePasskeys({} as never, table), /needs a Drizzle database/],
    [() => drizzlePasskeys(orm, fewer), /drizzlePasskeys\(db, table\) needs a table made by/],
    [
      () => drizzlePasskeys(orm, table, { columns: { name: 'label' } }),
      /"columns\.name" names "label", which the table does not have; it has id, userId/,
    ],
    [() => prismaPasskeys({} as never, 'passkey' as never), /needs a Prisma client/],
  ]
  for (const [make, message] of wrong) assert.throws(make, config(message))
})

test('passkeys: a column that Drizzle fills itself needs no default', async (t) => {
  const { orm, db } = openDrizzle('sqlite')
  t.after(() => db.destroy())
  const { name } = await createPasskeysTable(db, {
    ...passkeyColumns('sqlite'),
    tenant: 'integer not null',
  })
  const table = sqliteTable(name, {
    id: text('id').notNull(),
    userId: integer('user_id').notNull(),
    userHandle: text('user_handle').notNull(),
    credentialId: text('credential_id').notNull(),
    publicKey: text('public_key').notNull(),
    counter: integer('counter').notNull(),
    transports: text('transports').notNull(),
    aaguid: text('aaguid').notNull(),
    name: text('name').notNull(),
    backedUp: integer('backed_up', { mode: 'boolean' }).notNull(),
    createdAt: text('created_at').notNull(),
    lastUsedAt: text('last_used_at'),
    tenant: integer('tenant')
      .notNull()
      .$defaultFn(() => 7),
  })
  assert.deepEqual(await drizzlePasskeys(orm, table).verifySchema?.(), [])
})

/** What the kit says about a store. */
async function failuresOf(store: () => PasskeyStore): Promise<string[]> {
  const checks: (() => Promise<void>)[] = []
  passkeyStoreConformance(store, { test: (_name, run) => void checks.push(run) })
  const messages: string[] = []
  for (const run of checks) await run().catch((error: Error) => void messages.push(error.message))
  return messages
}

const mistakes: Record<string, (store: PasskeyStore) => Partial<PasskeyStore>> = {
  'finds credentials by another case': (store) => ({
    findByCredentialId: (id) =>
      store.findByCredentialId(
        typeof id === 'string' && /^[a-z]+$/i.test(id) ? id : 'AbCdefGhi_-0',
      ),
  }),
  'sets counters without a comparison': (store) => ({
    compareAndSetCounter: async (id, _expected, use) => {
      const own = (await store.listByUser(1)).find((passkey) => passkey.id === id)
      return own ? store.compareAndSetCounter(id, own.counter, use) : false
    },
  }),
  'deletes the last passkey': (store) => ({
    delete: (userId, id) => store.delete(userId, id, false),
  }),
  'renames for everybody': (store) => ({
    rename: (_userId, id, name) => store.rename(1, id, name),
  }),
  'counts no deletions': (store) => ({
    deleteAllOfUser: async (userId) => Number((await store.deleteAllOfUser(userId)) > 0),
  }),
  'lists newest first': (store) => ({
    listByUser: async (userId) => (await store.listByUser(userId)).reverse(),
  }),
  'depends on this': () => ({
    async listByUser(this: { all: [] }) {
      return this.all ?? []
    },
  }),
}
for (const [mistake, change] of Object.entries(mistakes))
  test(`passkeys: the kit finds a store that ${mistake}`, async () => {
    const messages = await failuresOf(() => {
      const store = memoryPasskeys()
      return { ...store, ...change(store) }
    })
    assert.ok(messages.length > 0)
    for (const message of messages) assert.match(message, /docs\/passkeys\.md/)
  })

test('passkeys: errors of the database are passed on', async (t) => {
  const { orm, db } = openDrizzle('sqlite')
  t.after(() => db.destroy())
  const { name } = await createPasskeysTable(db, passkeyColumns('sqlite'))
  const store = drizzlePasskeys(orm, drizzlePasskeysOf('sqlite', name))
  await sql`drop table ${sql.table(name)}`.execute(db)
  await assert.rejects(store.listByUser(1), /no such table/)
  await assert.rejects(store.findByCredentialId('x'), /no such table/)
  await assert.rejects(store.deleteAllOfUser(1), /no such table/)
})
