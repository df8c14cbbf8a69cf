import { after, before, describe, test } from 'node:test'
import { userStoreConformance } from '../../src/testing/user-store.js'
import { prismaUsers } from '../../src/user-stores/prisma/index.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { openForPrisma, type PrismaDatabase } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { prismaModelOf } from '../helpers/prisma-models.js'
import { createUsersTable, type Shape, type UsersTable } from '../helpers/tables.js'

const shapes: Shape[] = ['default', 'bigint', 'legacy', 'minimal', 'factor']

/** Options of `prismaUsers` for the model of a shape. */
const fieldsOf: Readonly<Record<Shape, Record<string, string>>> = {
  default: {},
  bigint: {},
  minimal: {},
  factor: {},
  legacy: { email: 'mail', isActive: 'enabled', isSuperuser: 'root', emailVerified: 'mailOk' },
}

for (const { name, dialect, skip } of ormDatabases) {
  describe(`prisma, ${name}`, { skip: skip !== false }, () => {
    let database: PrismaDatabase
    // biome-ignore lint/suspicious/noExplicitAny: generated below
    let prisma: any
    const tables = new Map<Shape, UsersTable>()

    before(async () => {
      database = openForPrisma(dialect)
      for (const shape of shapes)
        tables.set(shape, await createUsersTable(database.db, dialect, shape))
      const models = [...tables].map(([shape, table]) => prismaModelOf(dialect, shape, table.name))
      const { PrismaClient } = await generatePrisma(dialect, models.join('\n\n'))
      prisma = new PrismaClient({ adapter: database.adapter() })
    })
    after(async () => {
      await prisma.$disconnect()
      for (const table of tables.values()) await table.drop()
      await database.close()
    })

    for (const shape of shapes) {
      userStoreConformance(
        async () => {
          const model = `${shape}User`
          await prisma[model].deleteMany()
          return {
            store: prismaUsers(prisma, model as never, { fields: fieldsOf[shape] as object }),
          }
        },
        { name: shape, test },
      )
    }
  })
}
