import { type Kysely, type QueryResult, type RawBuilder, sql } from 'kysely'
import type { Dialect } from '../dialect.js'

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
