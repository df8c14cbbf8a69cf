import { after, before, describe, test } from 'node:test'
import { prismaPasskeys } from '../../src/passkey-stores/prisma.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { openForPrisma, type PrismaDatabase } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import {
  createPasskeysTable,
  idTypes,
  passkeyColumns,
  prismaPasskeysOf,
  usersOf,
} from '../helpers/passkeys-table.js'

const models = { integer: 'passkey', bigint: 'bigintPasskey', text: 'textPasskey' }

for (const { name, dialect, skip } of ormDatabases) {
  describe(`prisma, ${name}`, { skip: skip !== false }, () => {
    let database: PrismaDatabase
    const tables: Awaited<ReturnType<typeof createPasskeysTable>>[] = []
    // biome-ignore lint/suspicious/noExplicitAny: generated below
    let prisma: any

    before(async () => {
      database = openForPrisma(dialect)
      const texts: string[] = []
      for (const id of idTypes) {
        const table = await createPasskeysTable(database.db, passkeyColumns(dialect, id))
        tables.push(table)
        texts.push(prismaPasskeysOf(dialect, table.name, id))
      }
      const { PrismaClient } = await generatePrisma(dialect, texts.join('\n\n'))
      prisma = new PrismaClient({ adapter: database.adapter() })
    })
    after(async () => {
      await prisma.$disconnect()
      for (const table of tables) await table.drop()
      await database.close()
    })

    for (const id of idTypes)
      passkeyStoreConformance(
        async () => {
          await prisma[models[id]].deleteMany()
          return prismaPasskeys(prisma, models[id] as never)
        },
        {
          name: `prisma, ${name}, ${id}`,
          users: usersOf[id],
          test: (title, run) => test(title, run),
        },
      )
  })
}
