import { test } from 'node:test'
import { kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'
import { openConnection, ormDatabases } from '../helpers/orm-databases.js'
import { createPasskeysTable, idTypes, passkeyColumns, usersOf } from '../helpers/passkeys-table.js'

const bigText = ['1', '2', '3', '9007199254740993'] as const

for (const { name, dialect, skip } of ormDatabases) {
  for (const id of idTypes) {
    // PostgreSQL's driver returns a bigint as text, and the other drivers as a number.
    const users = id !== 'bigint' ? usersOf[id] : dialect === 'postgres' ? bigText : usersOf.integer
    passkeyStoreConformance(
      async () => {
        const { db } = openConnection(dialect)
        const table = await createPasskeysTable(db, passkeyColumns(dialect, id))
        return {
          store: kyselyPasskeys(db, { table: table.name }),
          close: async () => {
            await table.drop()
            await db.destroy()
          },
        }
      },
      { name: `kysely, ${name}, ${id}`, users, test: (title, run) => test(title, { skip }, run) },
    )
  }
}
