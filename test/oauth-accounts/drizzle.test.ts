import * as mysql from 'drizzle-orm/mysql-core'
import * as pg from 'drizzle-orm/pg-core'
import * as sqlite from 'drizzle-orm/sqlite-core'
import { drizzleOAuthAccounts } from '../../src/oauth-accounts/drizzle.js'
import { createLinksTable } from '../helpers/links-table.js'
import { openDrizzle } from '../helpers/open-drizzle.js'
import { ormDatabases } from '../helpers/orm-databases.js'
import { linkTests } from './contract.js'

const linksOf = {
  postgres: (name: string) =>
    pg.pgTable(name, {
      userId: pg.bigint('user_id', { mode: 'bigint' }).notNull(),
      provider: pg.varchar({ length: 255 }).notNull(),
      subject: pg.varchar({ length: 255 }).notNull(),
      email: pg.varchar({ length: 255 }),
      linkedAt: pg.timestamp('linked_at', { withTimezone: true, precision: 3 }).notNull(),
    }),
  mysql: (name: string) =>
    mysql.mysqlTable(name, {
      userId: mysql.bigint('user_id', { mode: 'bigint' }).notNull(),
      provider: mysql.varchar({ length: 255 }).notNull(),
      subject: mysql.varchar({ length: 255 }).notNull(),
      email: mysql.varchar({ length: 255 }),
      linkedAt: mysql.datetime('linked_at', { fsp: 3 }).notNull(),
    }),
  sqlite: (name: string) =>
    sqlite.sqliteTable(name, {
      userId: sqlite.integer('user_id').notNull(),
      provider: sqlite.text().notNull(),
      subject: sqlite.text().notNull(),
      email: sqlite.text(),
      linkedAt: sqlite.text('linked_at').notNull(),
    }),
}

for (const { name, dialect, skip } of ormDatabases) {
  linkTests(`drizzle, ${name}`, skip, async () => {
    const { orm, db } = openDrizzle(dialect)
    const { name: table, drop } = await createLinksTable(db, dialect)
    return {
      store: drizzleOAuthAccounts(orm, linksOf[dialect](table)),
      id: dialect === 'sqlite' ? Number : BigInt,
      close: async () => {
        await drop()
        await db.destroy()
      },
    }
  })
}
