import { join } from 'node:path'
import { type Generated, Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import { cachedStatements } from '../../src/users/kysely.js'

/** A row of the demo's users; the columns have the names that `kyselyUsers` expects by itself. */
interface AccountsTable {
  id: Generated<number>
  email: string
  username: string
  hashed_password: string | null
  is_active: number
  is_superuser: number
  email_verified: number
  token_version: number
  created_at: string
  updated_at: string
}

export interface DemoSchema {
  accounts: AccountsTable
}

export const databaseName = 'demo.db'

/** Opens the demo's database in the folder and makes its table at the first start. `destroy()` closes it. */
export async function openDatabase(folder: string): Promise<Kysely<DemoSchema>> {
  const database = new Database(join(folder, databaseName))
  // Readers and the writer do not wait for each other, and a second process waits for its turn instead of failing.
  database.exec('pragma journal_mode = wal')
  database.exec('pragma busy_timeout = 2000')
  const db = new Kysely<DemoSchema>({
    dialect: new SqliteDialect({ database: cachedStatements(database as unknown as SqliteDatabase) }),
  })
  await db.schema
    .createTable('accounts')
    .ifNotExists()
    // An id is never given twice: what is still kept under a deleted account's id is nobody else's.
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('email', 'text', (column) => column.notNull().unique())
    .addColumn('username', 'text', (column) => column.notNull().unique())
    .addColumn('hashed_password', 'text')
    .addColumn('is_active', 'integer', (column) => column.notNull().defaultTo(1))
    .addColumn('is_superuser', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('email_verified', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('token_version', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('created_at', 'text', (column) => column.notNull().defaultTo(sql`current_timestamp`))
    .addColumn('updated_at', 'text', (column) => column.notNull().defaultTo(sql`current_timestamp`))
    .execute()
  return db
}
