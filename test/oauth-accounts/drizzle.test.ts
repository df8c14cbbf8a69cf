import { drizzleOAuthAccounts } from '../../src/oauth-accounts/drizzle.js'
import { drizzleLinksOf } from '../helpers/drizzle.js'
import { createLinksTable } from '../helpers/links-table.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { linkTests } from './contract.js'

for (const { name, dialect, skip } of ormDatabases) {
  linkTests(`drizzle, ${name}`, skip, async () => {
    const { orm, db } = openDrizzle(dialect)
    const { name: table, drop } = await createLinksTable(db, dialect)
    return {
      store: drizzleOAuthAccounts(orm, drizzleLinksOf(dialect, table)),
      id: Number,
      close: async () => {
        await drop()
        await db.destroy()
      },
    }
  })
}
