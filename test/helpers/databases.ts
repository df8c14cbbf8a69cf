import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import { createPool, type PoolOptions } from 'mysql2'
import pg from 'pg'

const needed = process.env.CRUDAUTH_TEST_ALL === '1'

/** The URL of a database server, and the `skip` option for node:test if there is no server. */
export function serverOf(variable: 'TEST_POSTGRES_URL' | 'TEST_MARIADB_URL'): {
  url: string
  skip: string | false
} {
  const url = process.env[variable]
  if (!url && needed) throw new Error(`${variable} is not set`)
  return { url: url ?? '', skip: url ? false : `${variable} is not set` }
}

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
export const openPostgres = (url: string): Kysely<any> =>
  new Kysely({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 10 }) }),
  })

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
export const openMariadb = (url: string, options: PoolOptions = {}): Kysely<any> =>
  new Kysely({
    dialect: new MysqlDialect({ pool: createPool({ uri: url, connectionLimit: 10, ...options }) }),
  })
