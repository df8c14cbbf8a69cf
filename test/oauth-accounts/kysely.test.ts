import { kyselyOAuthAccounts } from '../../src/oauth-accounts/kysely.js'
import { createLinksTable } from '../helpers/links-table.js'
import { openConnection, ormDatabases } from '../helpers/orm-databases.js'
import { linkTests } from './contract.js'

for (const { name, dialect, skip } of ormDatabases) {
  linkTests(`kysely, ${name}`, skip, async () => {
    const { db } = openConnection(dialect)
    const { name: table, drop } = await createLinksTable(db, dialect)
    return {
      store: kyselyOAuthAccounts(db, { table }),
      id: Number,
      close: async () => {
        await drop()
        await db.destroy()
      },
    }
  })
}
