import { test } from 'node:test'
import { drizzleOAuthAccounts } from '../../src/oauth-accounts/drizzle.js'
import { kyselyOAuthAccounts } from '../../src/oauth-accounts/kysely.js'
import { prismaOAuthAccounts } from '../../src/oauth-accounts/prisma.js'
import { drizzleUsers } from '../../src/user-stores/drizzle/index.js'
import { kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { prismaUsers } from '../../src/user-stores/prisma/index.js'
import { drizzleLinksOf, drizzleTableOf } from '../helpers/drizzle.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { createLinksTable } from '../helpers/links-table.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { openForPrisma } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { pluginFlow } from '../helpers/plugin-flow.js'
import { prismaLinksOf, prismaModelOf } from '../helpers/prisma-models.js'
import { createUsersTable } from '../helpers/tables.js'

for (const { name, dialect, skip } of ormDatabases) {
  test(`drizzle and kysely, ${name}: an app registers, signs in, resets, links and uses codes`, {
    skip,
  }, async (t) => {
    const { orm, db } = openDrizzle(dialect)
    t.after(() => db.destroy())
    for (const store of ['drizzle', 'kysely']) {
      const users = await createUsersTable(db, dialect, 'factor')
      const links = await createLinksTable(db, dialect)
      await t.test(store, (sub) =>
        store === 'drizzle'
          ? pluginFlow(
              sub,
              drizzleUsers(orm, drizzleTableOf(dialect, 'factor', users.name)),
              drizzleOAuthAccounts(orm, drizzleLinksOf(dialect, links.name)),
            )
          : pluginFlow(
              sub,
              kyselyUsers(db, users.options),
              kyselyOAuthAccounts(db, { table: links.name }),
            ),
      )
      await users.drop()
      await links.drop()
    }
  })

  test(`prisma, ${name}: an app registers, signs in, resets, links and uses codes`, {
    skip,
  }, async (t) => {
    const { db, adapter, close } = openForPrisma(dialect)
    const users = await createUsersTable(db, dialect, 'factor')
    const links = await createLinksTable(db, dialect)
    const models = [
      prismaModelOf(dialect, 'factor', users.name),
      prismaLinksOf(dialect, links.name),
    ]
    const { PrismaClient } = await generatePrisma(dialect, models.join('\n\n'))
    const prisma = new PrismaClient({ adapter: adapter() })
    t.after(async () => {
      await prisma.$disconnect()
      await users.drop()
      await links.drop()
      await close()
    })
    await pluginFlow(
      t,
      prismaUsers(prisma, 'factorUser' as never),
      prismaOAuthAccounts(prisma, 'oAuthAccount' as never),
    )
  })
}
