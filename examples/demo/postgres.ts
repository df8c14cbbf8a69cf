import { tmpdir } from 'node:os'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { startPostgres } from '../../scripts/services/postgres.js'
import { SetupError } from './config.js'
import type { DemoDatabase } from './database.js'
import { accountsTable, type DemoSchema, otherTables } from './tables.js'

/** Name of the lock that processes hold while they create the tables. Any number will do. */
const setUpLock = 7_205_759

/** Creates the tables. If several processes start at once, they do it one after the other. */
async function createTables(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 })
  // The query in progress rejects as well.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [setUpLock])
    for (const statement of [accountsTable('postgres'), ...otherTables('postgres')])
      await client.query(statement)
    await client.query('commit')
  } finally {
    await client.end()
  }
}

function openPool(connectionString: string): Kysely<DemoSchema> {
  // Waits for a connection less long than `timeouts.stateMs`.
  const pool = new pg.Pool({ connectionString, max: 10, connectionTimeoutMillis: 900 })
  // An error event without a listener would end the process. The next query connects again.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return new Kysely<DemoSchema>({ dialect: new PostgresDialect({ pool }) })
}

/**
 * Opens a PostgreSQL database and creates the tables at the first start.
 * @throws SetupError if it doesn't answer or refuses
 */
export async function openPostgres(url: string): Promise<DemoDatabase> {
  // Never the whole URL, because it may contain a password.
  const name = `PostgreSQL at ${new URL(url).host || 'the address in DATABASE_URL'}`
  try {
    await createTables(url)
  } catch (error) {
    // The code too, because the error of a refused connection may have no message.
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new SetupError(`${name}: ${message || code}`)
  }
  const db = openPool(url)
  return { db, description: name, close: () => db.destroy() }
}

/**
 * Starts a PostgreSQL only for the demo, and opens it. `close()` stops it and deletes its data.
 * @throws SetupError if it can't be started
 */
export async function openPrivatePostgres(): Promise<DemoDatabase> {
  const server = await startPostgres(tmpdir()).catch((error: Error) => {
    throw new SetupError(`${error.message}. Or use a running PostgreSQL: set DATABASE_URL`)
  })
  const opened = await openPostgres(server.url).catch(async (error) => {
    await server.stop()
    throw error
  })
  return {
    db: opened.db,
    description: `a private PostgreSQL on port ${server.port}, until the demo stops`,
    async close() {
      await opened.close()
      await server.stop()
    },
  }
}
