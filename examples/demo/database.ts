import { join } from 'node:path'
import { type Generated, Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import Database from 'libsql'
import { cachedStatements } from '../../src/user-stores/kysely/index.js'

/** A row of the users table. Most columns have the names that `kyselyUsers` expects by default. */
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
  /** Id of the linked account at the local provider of `npm run demo:oidc`. */
  local_id: string | null
  /** The provider that was linked last, and when. */
  oauth_provider: string | null
  oauth_updated_at: string | null
  /** The second factor. The secret is encrypted, the recovery codes are digests. */
  totp_secret_encrypted: string | null
  totp_confirmed_at: string | null
  totp_last_step: number | null
  mfa_recovery_codes: string | null
}

export interface DemoSchema {
  accounts: AccountsTable
}

export const databaseName = 'demo.db'

/** Columns that the first version of the demo didn't have. */
const newColumns = {
  local_id: 'text',
  oauth_provider: 'text',
  oauth_updated_at: 'text',
  totp_secret_encrypted: 'text',
  totp_confirmed_at: 'text',
  totp_last_step: 'integer',
  mfa_recovery_codes: 'text',
}

/** Migrates the table of an older demo. If several processes start at once, only one does it. */
function addNewColumns(database: Database.Database): void {
  database.exec('begin immediate')
  try {
    const known = new Set(
      (database.prepare('pragma table_info(accounts)').all() as { name: string }[]).map(
        ({ name }) => name,
      ),
    )
    for (const [name, type] of Object.entries(newColumns)) {
      if (!known.has(name)) database.exec(`alter table accounts add column ${name} ${type}`)
    }
    // SQLite can't add a unique column to an existing table. A unique index does the same.
    database.exec('create unique index if not exists accounts_local_id on accounts (local_id)')
    database.exec('commit')
  } catch (error) {
    database.exec('rollback')
    throw error
  }
}

/** Opens the database and creates its table at the first start. `destroy()` closes it. */
export async function openDatabase(folder: string): Promise<Kysely<DemoSchema>> {
  const database = new Database(join(folder, databaseName))
  // Readers and the writer don't block each other. A second writer waits instead of failing.
  database.exec('pragma journal_mode = wal')
  database.exec('pragma busy_timeout = 2000')
  const db = new Kysely<DemoSchema>({
    dialect: new SqliteDialect({
      database: cachedStatements(database as unknown as SqliteDatabase),
    }),
  })
  await db.schema
    .createTable('accounts')
    .ifNotExists()
    // Ids are never reused, so no new account inherits data stored under a deleted account's id.
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
  addNewColumns(database)
  return db
}
