import {
  type Kysely,
  MysqlAdapter,
  PostgresAdapter,
  type QueryResult,
  type RawBuilder,
  SqliteAdapter,
  sql,
} from 'kysely'
import { ConfigError } from '../errors.js'
import type { Dialect } from './dialect.js'

/**
 * A `Kysely` or `Transaction`, typed by its shape. In a CommonJS app, the types come from another
 * build of Kysely, whose class TypeScript treats as a different one.
 */
export interface KyselyInstance {
  readonly isTransaction: boolean
  getExecutor(): unknown
  selectFrom(...from: never[]): unknown
  insertInto(...into: never[]): unknown
  updateTable(...tables: never[]): unknown
}

/**
 * The SQL dialect of a Kysely instance, from its adapter. Also compares the class name of the
 * adapter, because `instanceof` fails for another copy of Kysely.
 * @param caller name of the function, for error messages
 */
export function dialectOf(db: Kysely<unknown>, told: Dialect | undefined, caller: string): Dialect {
  if (told === 'postgres' || told === 'mysql' || told === 'sqlite') return told
  if (told !== undefined)
    throw new ConfigError('"dialect" must be "postgres", "mysql" (also for MariaDB) or "sqlite"')
  if (typeof db?.getExecutor !== 'function')
    throw new ConfigError(`${caller}(db) needs a Kysely instance`)
  const { adapter } = db.getExecutor()
  const name = adapter.constructor.name
  if (adapter instanceof PostgresAdapter || /postgres/i.test(name)) return 'postgres'
  if (adapter instanceof MysqlAdapter || /mysql|mariadb/i.test(name)) return 'mysql'
  if (adapter instanceof SqliteAdapter || /sqlite/i.test(name)) return 'sqlite'
  throw new ConfigError(
    `${caller} does not know the dialect of ${name}; set "dialect" to the SQL dialect it uses`,
  )
}

/**
 * Creates a function that says whether an insert returns its row: MariaDB does since 10.5, MySQL
 * does not. It asks the server once.
 */
export function insertReturns(
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  db: Kysely<any>,
  dialect: Dialect,
): (run?: <R>(query: RawBuilder<R>) => Promise<QueryResult<R>>) => Promise<boolean> {
  let known: boolean | undefined = dialect === 'mysql' ? undefined : true
  return async (run = (query) => query.execute(db)) => {
    if (known !== undefined) return known
    const { rows } = await run(sql<{ version: string }>`select version() as version`)
    const [, major, minor] = /(\d+)\.(\d+)\.\d+-mariadb/i.exec(rows[0]?.version ?? '') ?? []
    known = Number(major) > 10 || (Number(major) === 10 && Number(minor) >= 5)
    return known
  }
}
