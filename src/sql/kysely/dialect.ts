import { type Kysely, MysqlAdapter, PostgresAdapter, SqliteAdapter } from 'kysely'
import { ConfigError } from '../../errors.js'
import type { Dialect } from '../dialect.js'

/**
 * The SQL dialect of a Kysely instance, from its adapter. Also compares the class name of the
 * adapter, because `instanceof` fails for another copy of Kysely.
 */
export function dialectOf(store: string, db: Kysely<unknown>, told: Dialect | undefined): Dialect {
  if (told === 'postgres' || told === 'mysql' || told === 'sqlite') return told
  if (told !== undefined)
    throw new ConfigError('"dialect" must be "postgres", "mysql" (also for MariaDB) or "sqlite"')
  if (typeof db?.getExecutor !== 'function')
    throw new ConfigError(`${store}(db) needs a Kysely instance`)
  const { adapter } = db.getExecutor()
  const name = adapter.constructor.name
  if (adapter instanceof PostgresAdapter || /postgres/i.test(name)) return 'postgres'
  if (adapter instanceof MysqlAdapter || /mysql|mariadb/i.test(name)) return 'mysql'
  if (adapter instanceof SqliteAdapter || /sqlite/i.test(name)) return 'sqlite'
  throw new ConfigError(
    `${store} does not know the dialect of ${name}; set "dialect" to the SQL dialect it uses`,
  )
}
