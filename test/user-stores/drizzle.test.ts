import { test } from 'node:test'
import { userStoreConformance } from '../../src/testing/user-store.js'
import { drizzleUsers } from '../../src/user-stores/drizzle/index.js'
import { drizzleColumns, drizzleTableOf } from '../helpers/drizzle.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { createUsersTable, type Shape } from '../helpers/tables.js'

const shapes: Shape[] = ['default', 'bigint', 'legacy', 'minimal', 'factor']

for (const { name, dialect, skip } of ormDatabases) {
  for (const shape of shapes) {
    userStoreConformance(
      async () => {
        const { orm, db } = openDrizzle(dialect)
        const { name: table, drop, options } = await createUsersTable(db, dialect, shape)
        return {
          store: drizzleUsers(orm, drizzleTableOf(dialect, shape, table), {
            columns: drizzleColumns[shape],
            ...(options.generateId && { generateId: options.generateId }),
          }),
          close: async () => {
            await drop()
            await db.destroy()
          },
        }
      },
      { name: `drizzle, ${name}, ${shape}`, test: (title, run) => test(title, { skip }, run) },
    )
  }
}
