import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { and, eq } from 'drizzle-orm'
import type { UserStore } from '../../src/index.js'
import type { Dialect } from '../../test/helpers/tables.js'
import { type Call, compare, items as users } from '../lib/beside.js'
import type { Figure } from '../lib/report.js'
import type { RunContext, Scenario } from '../lib/run-context.js'

/** A store, and the same queries by its query builder alone. */
interface Pair {
  readonly name: string
  readonly store: UserStore
  readonly find: Call
  readonly write: Call
}

/** Users 1 to 100 in a new table, with a store and the bare query builder for each library. */
async function openPairs(context: RunContext, dialect: Dialect): Promise<Pair[]> {
  const part = (path: string) => import(pathToFileURL(join(context.packageFolder, path)).href)
  const { kyselyUsers } = await part('src/user-stores/kysely/index.js')
  const { drizzleUsers } = await part('src/user-stores/drizzle/index.js')
  const { prismaUsers } = await part('src/user-stores/prisma/index.js')
  // Loaded late: the helpers read the address of the server when they are imported.
  const { drizzleTableOf } = await import('../../test/helpers/drizzle.js')
  const { generatePrisma } = await import('../../test/helpers/generate-prisma.js')
  const { openDrizzle } = await import('../../test/helpers/open-drizzle.js')
  const { openForPrisma } = await import('../../test/helpers/open-prisma.js')
  const { prismaModelOf } = await import('../../test/helpers/prisma-models.js')
  const { createUsersTable } = await import('../../test/helpers/tables.js')

  const database = openForPrisma(dialect)
  const { db } = database
  const { name, options } = await createUsersTable(db, dialect)
  const { orm, db: other } = openDrizzle(dialect, [], { logger: false }, database.path)
  const table = drizzleTableOf(dialect, 'default', name)
  const { PrismaClient } = await generatePrisma(dialect, prismaModelOf(dialect, 'default', name))
  const prisma = new PrismaClient({ adapter: database.adapter() })
  context.defer(async () => {
    await prisma.$disconnect()
    await other.destroy()
    await database.close()
  })
  const kysely: UserStore = kyselyUsers(db, options)
  for (let id = 1; id <= users; id++)
    await kysely.create({ email: `${id}@example.com`, username: `${id}`, tokenVersion: 0 })

  // The stores write the time as well. SQLite skips a write that changes nothing.
  const now = () => (dialect === 'sqlite' ? new Date().toISOString() : new Date())
  return [
    {
      name: 'Kysely',
      store: kysely,
      find: (id) => db.selectFrom(name).selectAll().where('id', '=', id).executeTakeFirst(),
      write: (id, round) =>
        db
          .updateTable(name)
          .set({ plan: `${round}`, updated_at: now() })
          .where('id', '=', id)
          .where('token_version', '=', 0)
          .executeTakeFirst(),
    },
    {
      name: 'Drizzle',
      store: drizzleUsers(orm, table),
      find: (id) => orm.select().from(table).where(eq(table.id, id)).limit(1),
      write: async (id, round) =>
        orm
          .update(table)
          .set({ plan: `${round}`, updatedAt: now() })
          .where(and(eq(table.id, id), eq(table.tokenVersion, 0))),
    },
    {
      name: 'Prisma',
      store: prismaUsers(prisma, 'defaultUser'),
      find: (id) => prisma.defaultUser.findFirst({ where: { id } }),
      write: (id, round) =>
        prisma.defaultUser.updateMany({
          where: { id, tokenVersion: 0 },
          data: { plan: `${round}`, updatedAt: new Date() },
        }),
    },
  ]
}

const floor = 0.9

/** Each user store beside the same query by its query builder alone. */
export const userStores: Scenario = async (context) => {
  process.env.TEST_POSTGRES_URL = await context.createDatabase()
  const figures: Figure[] = []
  for (const dialect of ['postgres', 'sqlite'] as const) {
    for (const { name, store, find, write } of await openPairs(context, dialect)) {
      const label = `${name}, ${dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`
      const update: Call = (id, round) =>
        store.compareAndSet(id, { tokenVersion: 0 }, { plan: `${round}` })
      figures.push(await compare(`${label}: findById`, store.findById, find, context.plan, floor))
      figures.push(await compare(`${label}: compareAndSet`, update, write, context.plan, floor))
    }
  }
  return {
    title: 'User stores',
    about: `Calls per second of processor time, beside the same query by the query builder alone, in one process.`,
    figures,
  }
}
