import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import type { PasskeyStore } from '../../src/index.js'
import { drizzlePasskeys } from '../../src/passkey-stores/drizzle.js'
import { kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import { prismaPasskeys } from '../../src/passkey-stores/prisma.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { openForPrisma } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import {
  createPasskeysTable,
  drizzlePasskeysOf,
  passkeyColumns,
  prismaPasskeysOf,
} from '../helpers/passkeys-table.js'

for (const { name, dialect, skip } of ormDatabases) {
  describe(`verifySchema of passkeys, ${name}`, { skip: skip !== false }, () => {
    const table = `passkeys_${randomBytes(6).toString('hex')}`
    const narrowTable = `narrow_${table}`
    const standard = passkeyColumns(dialect)
    let stores: PasskeyStore[]
    let narrow: PasskeyStore
    // biome-ignore lint/suspicious/noExplicitAny: each test creates its own table
    let db: Kysely<any>
    let close: () => Promise<void>

    before(async () => {
      const database = openForPrisma(dialect)
      const model = prismaPasskeysOf(dialect, table)
      const small = model
        .replace('model Passkey', 'model Narrow')
        .replace(table, narrowTable)
        .replace(/counter +BigInt/, 'counter Int')
      const { PrismaClient } = await generatePrisma(dialect, `${model}\n\n${small}`)
      const prisma = new PrismaClient({ adapter: database.adapter() })
      const opened = openDrizzle(dialect, [], {}, database.path)
      db = opened.db
      narrow = prismaPasskeys(prisma, 'narrow' as never)
      stores = [
        kyselyPasskeys(db, { table }),
        drizzlePasskeys(opened.orm, drizzlePasskeysOf(dialect, table)),
        prismaPasskeys(prisma, 'passkey' as never),
      ]
      close = async () => {
        await prisma.$disconnect()
        for (const used of [table, narrowTable])
          await sql.raw(`drop table if exists ${used}`).execute(db)
        await db.destroy()
        await database.close()
      }
    })
    after(() => close())

    const said = async (store: PasskeyStore) =>
      ((await store.verifySchema?.()) ?? [])
        .map(({ level, message }) => `${level}: ${message}`)
        .join('\n')

    /** Checks what every store says about a table with these columns in place of the standard ones. */
    const expect = async (changes: Record<string, string | null>, expected: RegExp) => {
      await sql.raw(`drop table if exists ${table}`).execute(db)
      await createPasskeysTable(db, { ...standard, ...changes }, table)
      for (const store of stores) assert.match(await said(store), expected)
    }
    const without = (column: string, constraint: string) => ({
      [column]: standard[column]?.replace(constraint, '') ?? null,
    })

    test('a matching table has no findings', async () => {
      await expect({}, /^$/)
    })

    test('a missing table is an error', async () => {
      await sql.raw(`drop table if exists ${table}`).execute(db)
      for (const store of stores)
        assert.match(await said(store), /^error: There is no table "passkeys_.*create it/)
    })

    test('every missing column is an error that names its field', async () => {
      for (const column of Object.keys(standard)) {
        const field = column.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
        await expect(
          { [column]: null },
          new RegExp(`^error: Table .* has no column "${column}" for "${field}"; add it.*"$`),
        )
      }
    })

    test('ids and credentials must be unique', async () => {
      await expect(
        without('id', ' primary key'),
        /^error: Column "id" .* must be unique.*constraint on \(id\)$/,
      )
      await expect(
        without('credential_id', ' unique'),
        /^error: Column "credential_id" .* must be unique.*constraint on \(credential_id\)$/,
      )
    })

    test('columns that nothing fills, or that must be empty at first, are errors', async () => {
      await expect(
        { tenant: 'integer not null' },
        /^error: Column "tenant" .* not null, and nothing sets it in a new passkey/,
      )
      await expect({ tenant: 'integer not null default 1', note: 'integer' }, /^$/)
      await expect(
        { last_used_at: `${standard.last_used_at} not null` },
        /^error: Column "last_used_at" .* must allow null/,
      )
    })

    test('columns that are too short are errors', { skip: dialect === 'sqlite' }, async () => {
      const unique = dialect === 'mysql' ? 'varbinary(1363)' : 'varchar(1363)'
      await expect(
        { credential_id: `${unique} not null unique` },
        /^error: Column "credential_id" .* holds 1363 characters, and "credentialId" needs 1364; widen it$/,
      )
      await expect({ public_key: 'varchar(255) not null' }, /holds 255 characters.* needs 4095/)
      await expect({ name: 'varchar(64) not null' }, /"name" needs 100; widen it$/)
      await expect(
        { counter: 'integer not null' },
        /^error: Column "counter" .* is too small .* 4294967295; change its type to bigint$/,
      )
    })

    test('columns of other types are errors', async () => {
      await expect({ counter: 'varchar(20) not null' }, /"counter" .* must be an integer/)
      await expect({ backed_up: 'varchar(20) not null' }, /"backed_up" .* must be boolean/)
      await expect({ name: 'integer not null' }, /"name" .* must be text/)
      await expect(
        { created_at: 'boolean not null' },
        dialect === 'sqlite' ? /time|^$/ : /"created_at" .* must be a time/,
      )
    })

    test('prisma: an Int is too small for the counter', async () => {
      await createPasskeysTable(db, standard, narrowTable)
      assert.match(
        await said(narrow),
        /doesn't store numbers up to 4294967295 in "counter".*BigInt/,
      )
    })
  })
}
