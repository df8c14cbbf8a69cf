import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { UserStore } from '../../src/index.js'
import { drizzleUsers } from '../../src/user-stores/drizzle/index.js'
import { prismaUsers } from '../../src/user-stores/prisma/index.js'
import { breakableProxy } from '../helpers/breakable-proxy.js'
import { build, captureLogs } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { serverOf } from '../helpers/databases.js'
import { drizzleTableOf } from '../helpers/drizzle.js'
import { recovers } from '../helpers/faults.js'
import { generatePrisma } from '../helpers/generate-prisma.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { openForPrisma } from '../helpers/open-prisma.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { prismaModelOf } from '../helpers/prisma-models.js'
import { refuses } from '../helpers/refuses.js'
import { createUsersTable } from '../helpers/tables.js'

interface Outage {
  cut(): void
  restore(): void
}

/** An app keeps running while its database is away, and works again afterwards. */
async function survives(t: TestContext, users: UserStore, proxy: Outage) {
  noUnhandledRejections(t)
  const { lines, logger } = captureLogs('warn')
  const app = await build(t, {
    fastify: { logger },
    auth: { users, timeouts: { usersMs: 2000 } },
  })
  const client = await signedIn(app, 'ann')
  proxy.cut()
  for (const response of [
    await client.get('/me'),
    await new Client(app).login('ann'),
    await new Client(app).register('bob'),
  ])
    refuses(response, 'CRUDAUTH_UNAVAILABLE')
  proxy.restore()
  assert.equal((await recovers(() => client.get('/me'))).statusCode, 200)
  assert.equal((await recovers(() => new Client(app).login('ann'))).statusCode, 200)
  assert.ok(!/\$argon2id|correct horse/.test(lines.join('')), 'credentials are not logged')
}

for (const { name, dialect, skip } of ormDatabases.filter(({ dialect }) => dialect !== 'sqlite')) {
  const variable = dialect === 'postgres' ? 'TEST_POSTGRES_URL' : 'TEST_MARIADB_URL'

  test(`drizzle, ${name}: an outage is 503, and the app recovers`, { skip }, async (t) => {
    const { db } = openDrizzle(dialect)
    const table = await createUsersTable(db, dialect)
    const proxy = await breakableProxy(t, serverOf(variable).url)
    const away = openDrizzle(dialect, [], {}, proxy.url)
    t.after(async () => {
      await away.db.destroy()
      await table.drop()
      await db.destroy()
    })
    await survives(
      t,
      drizzleUsers(away.orm, drizzleTableOf(dialect, 'default', table.name)) as UserStore,
      proxy,
    )
  })

  test(`prisma, ${name}: an outage is 503, and the app recovers`, { skip }, async (t) => {
    const { db, adapter, close } = openForPrisma(dialect)
    const table = await createUsersTable(db, dialect)
    const model = prismaModelOf(dialect, 'default', table.name)
    const { PrismaClient } = await generatePrisma(dialect, model)
    const proxy = await breakableProxy(t, serverOf(variable).url)
    const prisma = new PrismaClient({ adapter: adapter(proxy.url) })
    t.after(async () => {
      await prisma.$disconnect()
      await table.drop()
      await close()
    })
    await survives(t, prismaUsers(prisma, 'defaultUser' as never), proxy)
  })
}
