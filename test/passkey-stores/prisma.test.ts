import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { prismaPasskeys } from '../../src/passkey-stores/prisma.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'
import { bench } from '../../src/testing/passkeys/bench.js'
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

    test('users whose ids differ only in case are different users', async () => {
      await prisma.textPasskey.deleteMany()
      const store = prismaPasskeys(prisma, 'textPasskey' as never)
      const { added } = bench(store, ['ann', 'Ann', 'b', 'c'])
      const own = await added()
      await added({ userId: 'Ann' })
      assert.deepEqual(await store.listByUser('ann'), [own])
      assert.equal(await store.delete('ann', own.id, true), 'last')
      assert.equal(await store.deleteAllOfUser('Ann'), 1)
      assert.deepEqual(await store.listByUser('ann'), [own])
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
