import type { Kysely } from 'kysely'
import type { DemoConfig } from './config.js'
import { openSqlite } from './sqlite.js'
import type { DemoSchema } from './tables.js'

/** An open database with all tables of the demo. */
export interface DemoDatabase {
  readonly db: Kysely<DemoSchema>
  /** What and where it is, without a password. */
  readonly description: string
  close(): Promise<void>
}

/**
 * Opens the database: at `DATABASE_URL`, on a PostgreSQL of its own, or in a file.
 * @param privatePostgres whether to start a PostgreSQL if `DATABASE_URL` isn't set
 * @throws SetupError if PostgreSQL isn't available
 */
export async function openDatabase(
  { databaseUrl, folder }: DemoConfig,
  privatePostgres: boolean,
): Promise<DemoDatabase> {
  if (databaseUrl === undefined && !privatePostgres) return openSqlite(folder)
  // Loaded only if needed, so that the demo on SQLite starts faster.
  const { openPostgres, openPrivatePostgres } = await import('./postgres.js')
  return databaseUrl === undefined ? openPrivatePostgres() : openPostgres(databaseUrl)
}
