import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import {
  type CompiledQuery,
  type Driver,
  Kysely,
  MysqlDialect,
  PostgresDialect,
  type QueryResult,
  sql,
} from 'kysely'
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

/** Creates a schema that is dropped after the test. Returns the URL of the server that uses it. */
export async function createSchema(t: TestContext, url: string): Promise<string> {
  const schema = `test_${randomBytes(6).toString('hex')}`
  const admin = openPostgres(url)
  t.after(async () => {
    await sql.raw(`drop schema ${schema} cascade`).execute(admin)
    await admin.destroy()
  })
  await sql.raw(`create schema ${schema}`).execute(admin)
  const own = new URL(url)
  own.searchParams.set('options', `-c search_path=${schema}`)
  return own.href
}

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
export const openMariadb = (url: string, options: PoolOptions = {}): Kysely<any> =>
  new Kysely({
    dialect: new MysqlDialect({ pool: createPool({ uri: url, connectionLimit: 10, ...options }) }),
  })

/** MariaDB that says it is MySQL, which has no RETURNING. */
export function openAsMysql(url: string): Kysely<unknown> {
  class AsMysql extends MysqlDialect {
    override createDriver(): Driver {
      const driver = super.createDriver()
      const acquire = driver.acquireConnection.bind(driver)
      driver.acquireConnection = async () => {
        const connection = await acquire()
        const execute = connection.executeQuery.bind(connection)
        connection.executeQuery = async <R>(query: CompiledQuery) => {
          if (/\breturning\b/.test(query.sql)) throw new Error('MySQL has no RETURNING')
          if (/select version\(\)/.test(query.sql))
            return { rows: [{ version: '8.4.5' } as R] } satisfies QueryResult<R>
          return execute<R>(query)
        }
        return connection
      }
      return driver
    }
  }
  return new Kysely({
    dialect: new AsMysql({ pool: createPool({ uri: url, connectionLimit: 10 }) }),
  })
}
