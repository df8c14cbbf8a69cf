import { drizzle as betterSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as mysql2 } from 'drizzle-orm/mysql2'
import { drizzle as nodePostgres } from 'drizzle-orm/node-postgres'
import { openConnection } from './orm-databases.js'
import type { Dialect } from './tables.js'

const DRIVERS = { postgres: nodePostgres, mysql: mysql2, sqlite: betterSqlite }

/** Drizzle on a new connection, with `log` for its statements, and Kysely to create tables. */
export function openDrizzle(
  dialect: Dialect,
  log: string[] = [],
  config: object = {},
  address?: string,
) {
  const { client, db } = openConnection(dialect, address)
  const logger = { logQuery: (text: string) => void log.push(text) }
  // biome-ignore lint/suspicious/noExplicitAny: the type depends on the dialect
  const orm = (DRIVERS[dialect] as any)({ client, logger, mode: 'default', ...config })
  return { orm, db, client }
}
