import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { UserValueError } from '../../src/errors.js'
import { type KyselyPasskeysOptions, kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import type { Passkey } from '../../src/ports/passkey-store.js'
import { openConnection, ormDatabases } from '../helpers/orm-databases.js'
import { createPasskeysTable, passkeyColumns } from '../helpers/passkeys-table.js'
import type { Dialect } from '../helpers/tables.js'

const passkey: Passkey = {
  id: 'aaaaaaaaaaaaaaaaaaaaaa',
  userId: 1,
  userHandle: 'handle',
  credentialId: 'credential',
  publicKey: 'key',
  counter: 1,
  transports: ['usb'],
  aaguid: '00000000-0000-0000-0000-000000000000',
  name: 'Key',
  backedUp: false,
  createdAt: new Date('2026-01-01T00:00:00.000Z'),
  lastUsedAt: null,
}

async function open(
  t: TestContext,
  dialect: Dialect,
  changes: Readonly<Record<string, string | null>> = {},
  options: KyselyPasskeysOptions = {},
) {
  const { db } = openConnection(dialect)
  const table = await createPasskeysTable(db, { ...passkeyColumns(dialect), ...changes })
  t.after(async () => {
    await table.drop()
    await db.destroy()
  })
  const store = kyselyPasskeys(db, { table: table.name, ...options })
  const set = (column: string, value: unknown) =>
    sql`update ${sql.table(table.name)} set ${sql.ref(column)} = ${value}`.execute(db)
  return { db, store, set }
}

test('a row in another form is read as what it means', async (t) => {
  // SQLite stores any value in a column without a type.
  const loose = { counter: '', transports: '', backed_up: '', created_at: '', last_used_at: '' }
  const { store, set } = await open(t, 'sqlite', loose)
  await store.create(passkey)
  const forms: [column: string, value: unknown, field: keyof Passkey, expected: unknown][] = [
    ['counter', '4294967295', 'counter', 4_294_967_295],
    ['counter', 7n, 'counter', 7],
    ['transports', '[ "nfc", "usb" ]', 'transports', ['nfc', 'usb']],
    ['backed_up', 1n, 'backedUp', true],
    ['created_at', 1_767_225_600, 'createdAt', new Date('2026-01-01T00:00:00Z')],
    ['created_at', 1_767_225_600_500, 'createdAt', new Date('2026-01-01T00:00:00.500Z')],
    ['created_at', '1767225600', 'createdAt', new Date('2026-01-01T00:00:00Z')],
    ['created_at', '2026-01-02 03:04:05', 'createdAt', new Date('2026-01-02T03:04:05Z')],
    ['created_at', '2026-01-02 03:04:05.678+02:00', 'createdAt', new Date(1_767_315_845_678)],
    ['last_used_at', '2026-01-02T03:04:05.678Z', 'lastUsedAt', new Date(1_767_323_045_678)],
  ]
  for (const [column, value, field, expected] of forms) {
    await set(column, value)
    const found = await store.findByCredentialId('credential')
    assert.deepEqual(found?.[field], expected, `${column} ${value}`)
  }
})

test('nonsense in a row is an error that names the column and not the value', async (t) => {
  const columns = Object.keys(passkeyColumns('sqlite'))
  const untyped = Object.fromEntries(columns.map((column) => [column, '']))
  const { store, set } = await open(t, 'sqlite', untyped)
  await store.create(passkey)
  const nonsense: [column: string, values: unknown[]][] = [
    ['counter', [-1, 4_294_967_296, 1.5, '', ' 1', '1e3', 'SECRET', null]],
    ['transports', ['SECRET', '', '{"a":"SECRET"}', '["a",1]', 'null', null]],
    ['backed_up', ['true', 'SECRET', 2, '', null]],
    ['created_at', ['SECRET', '', null, 1e30]],
    ['last_used_at', ['SECRET', '']],
    ['public_key', [5, null]],
    ['user_handle', [5, null]],
    ['id', [null]],
    ['user_id', [null, 1.5]],
    ['name', [null]],
  ]
  const read = async () => {
    await store.findByCredentialId('credential')
  }
  await read()
  for (const [column, values] of nonsense) {
    const kept = await store.findByCredentialId('credential')
    for (const value of values) {
      await set(column, value)
      await assert.rejects(read, (error: Error & { code?: string }) => {
        assert.equal(error.code, 'CRUDAUTH_CONFIG', `${column} ${value}`)
        assert.match(error.message, new RegExp(`^Column "${column}" of table "passkeys_`))
        assert.doesNotMatch(error.message, /SECRET/)
        return true
      })
    }
    await set(column, storedOf(column, kept))
    await read()
  }
})

/** What the store has written to a column. */
function storedOf(column: string, kept: Passkey | null): unknown {
  assert.ok(kept)
  const fallback: Record<string, unknown> = {
    transports: JSON.stringify(kept.transports),
    backed_up: 0,
    created_at: kept.createdAt.toISOString(),
    last_used_at: null,
    public_key: kept.publicKey,
    user_handle: kept.userHandle,
    user_id: kept.userId,
  }
  return column in fallback ? fallback[column] : kept[column as keyof Passkey]
}

test('a counter that no authenticator has is not stored', async (t) => {
  const { store } = await open(t, 'sqlite')
  for (const counter of [-1, 1.5, 2 ** 32, Number.NaN])
    await assert.rejects(store.create({ ...passkey, counter }), UserValueError)
  await store.create(passkey)
  const use = { counter: 2 ** 32, backedUp: false, lastUsedAt: new Date() }
  await assert.rejects(store.compareAndSetCounter(passkey.id, 1, use), UserValueError)
  assert.deepEqual(await store.findByCredentialId('credential'), passkey)
})

test('columns can have other names, and times and flags other forms', async (t) => {
  const { credential_id: cred = '', created_at: _, ...columns } = passkeyColumns('sqlite')
  const { db } = openConnection('sqlite')
  const table = await createPasskeysTable(db, { ...columns, cred, made: 'integer' })
  t.after(() => db.destroy())
  const store = kyselyPasskeys(db, {
    table: table.name,
    columns: { credentialId: 'cred', createdAt: 'made' },
    dates: 'seconds',
  })
  assert.deepEqual(await store.verifySchema?.(), [])
  await store.create({ ...passkey, lastUsedAt: new Date('2026-01-01T00:00:00.000Z') })
  const [row] = (await sql`select made, cred from ${sql.table(table.name)}`.execute(db)).rows
  assert.deepEqual({ ...(row as object) }, { made: 1_767_225_600, cred: 'credential' })
  const found = await store.findByCredentialId('credential')
  assert.deepEqual(found?.createdAt, passkey.createdAt)
  assert.deepEqual(found?.lastUsedAt, passkey.createdAt)
})

for (const { name, dialect, skip } of ormDatabases)
  test(`${name}: users whose ids differ only in case are different users`, { skip }, async (t) => {
    const { store } = await open(t, dialect, passkeyColumns(dialect, 'text'))
    const own = { ...passkey, userId: 'ann' }
    const others = { ...passkey, userId: 'Ann', id: 'b'.repeat(22), credentialId: 'other' }
    await store.create(own)
    await store.create(others)
    assert.deepEqual(await store.listByUser('ann'), [own])
    assert.equal(await store.delete('ann', own.id, true), 'last')
    assert.equal(await store.deleteAllOfUser('Ann'), 1)
    assert.deepEqual(await store.findByCredentialId('credential'), own)
  })

test('mariadb: an unsigned integer of 32 bits is enough for the counter', {
  skip: ormDatabases.find(({ dialect }) => dialect === 'mysql')?.skip,
}, async (t) => {
  const { store } = await open(t, 'mysql', { counter: 'int unsigned not null' })
  assert.deepEqual(await store.verifySchema?.(), [])
  await store.create({ ...passkey, counter: 2 ** 32 - 1 })
  assert.equal((await store.findByCredentialId('credential'))?.counter, 2 ** 32 - 1)
})

test('postgres: a list of transports may be in a column of JSON', {
  skip: ormDatabases.find(({ dialect }) => dialect === 'postgres')?.skip,
}, async (t) => {
  const { store } = await open(t, 'postgres', { transports: 'jsonb not null' })
  assert.deepEqual(await store.verifySchema?.(), [])
  await store.create(passkey)
  assert.deepEqual(await store.findByCredentialId('credential'), passkey)
})
