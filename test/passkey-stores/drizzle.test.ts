import { test } from 'node:test'
import { drizzlePasskeys } from '../../src/passkey-stores/drizzle.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import {
  createPasskeysTable,
  drizzlePasskeysOf,
  idTypes,
  passkeyColumns,
  usersOf,
} from '../helpers/passkeys-table.js'

for (const { name, dialect, skip } of ormDatabases) {
  // Drizzle has no bigint for SQLite's integers.
  for (const id of idTypes.filter((type) => dialect !== 'sqlite' || type !== 'bigint'))
    passkeyStoreConformance(
      async () => {
        const { orm, db } = openDrizzle(dialect)
        const table = await createPasskeysTable(db, passkeyColumns(dialect, id))
        return {
          store: drizzlePasskeys(orm, drizzlePasskeysOf(dialect, table.name, id)),
          close: async () => {
            await table.drop()
            await db.destroy()
          },
        }
      },
      {
        name: `drizzle, ${name}, ${id}`,
        users: usersOf[id],
        test: (title, run) => test(title, { skip }, run),
      },
    )
}
