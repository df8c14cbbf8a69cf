import { after, before, describe } from 'node:test'
import { prismaOAuthAccounts } from '../../src/oauth-accounts/prisma.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { createLinksTable } from '../helpers/links-table.js'
import { openForPrisma, type PrismaDatabase } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { prismaLinksOf } from '../helpers/prisma-models.js'
import { linkTests } from './contract.js'

for (const { name, dialect, skip } of ormDatabases) {
  describe(`prisma, ${name}`, { skip: skip !== false }, () => {
    let database: PrismaDatabase
    let table: Awaited<ReturnType<typeof createLinksTable>>
    // biome-ignore lint/suspicious/noExplicitAny: generated below
    let prisma: any

    before(async () => {
      database = openForPrisma(dialect)
      table = await createLinksTable(database.db, dialect)
      const models = prismaLinksOf(dialect, table.name)
      const { PrismaClient } = await generatePrisma(dialect, models)
      prisma = new PrismaClient({ adapter: database.adapter() })
    })
    after(async () => {
      await prisma.$disconnect()
      await table.drop()
      await database.close()
    })

    linkTests(`prisma, ${name}`, skip, async () => {
      await prisma.oAuthAccount.deleteMany()
      return { store: prismaOAuthAccounts(prisma, 'oAuthAccount' as never), id: Number }
    })
  })
}
