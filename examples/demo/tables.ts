import type { Generated } from 'kysely'
// Your app imports this from 'fastify-crudauth/state/kysely'.
import { stateTables } from '../../src/state/kysely/index.js'

/** A row of the users table. Most columns have the names that `kyselyUsers` expects by default. */
interface AccountsTable {
  id: Generated<number>
  email: string
  username: string
  hashed_password: string | null
  is_active: number | boolean
  is_superuser: number | boolean
  email_verified: number | boolean
  token_version: number
  created_at: string | Date
  updated_at: string | Date
  /** Id of the linked account at the local provider of `npm run demo:oidc`. */
  local_id: string | null
  /** The provider that was linked last, and when. */
  oauth_provider: string | null
  oauth_updated_at: string | Date | null
  /** The second factor. The secret is encrypted, the recovery codes are digests. */
  totp_secret_encrypted: string | null
  totp_confirmed_at: string | Date | null
  totp_last_step: number | null
  mfa_recovery_codes: string | null
}

/** A passkey, in the columns that `kyselyPasskeys` expects by default. */
interface PasskeysTable {
  id: string
  user_id: number
  user_handle: string
  credential_id: string
  public_key: string
  counter: number | string
  transports: string
  aaguid: string
  name: string
  backed_up: number | boolean
  created_at: string | Date
  last_used_at: string | Date | null
}

export interface DemoSchema {
  accounts: AccountsTable
  passkeys: PasskeysTable
}

export type DemoDialect = 'sqlite' | 'postgres'

const types = {
  // Ids are never reused, so no new account inherits data stored under a deleted account's id.
  sqlite: { id: 'integer primary key autoincrement', flag: 'integer', time: 'text' },
  postgres: {
    id: 'integer generated always as identity primary key',
    flag: 'boolean',
    time: 'timestamptz',
  },
}
const flags = { sqlite: ['0', '1'], postgres: ['false', 'true'] } as const

/** Columns that the first version of the demo didn't have, with their types. */
export const newColumns = (dialect: DemoDialect): Record<string, string> => ({
  local_id: 'text',
  oauth_provider: 'text',
  oauth_updated_at: types[dialect].time,
  totp_secret_encrypted: 'text',
  totp_confirmed_at: types[dialect].time,
  totp_last_step: 'integer',
  mfa_recovery_codes: 'text',
})

/** Creates the users table. It does nothing if the table exists. */
export function accountsTable(dialect: DemoDialect): string {
  const { id, flag, time } = types[dialect]
  const [no, yes] = flags[dialect]
  const added = Object.entries(newColumns(dialect)).map((column) => column.join(' '))
  return `create table if not exists accounts (
    id ${id},
    email text not null unique,
    username text not null unique,
    hashed_password text,
    is_active ${flag} not null default ${yes},
    is_superuser ${flag} not null default ${no},
    email_verified ${flag} not null default ${no},
    token_version integer not null default 0,
    created_at ${time} not null default current_timestamp,
    updated_at ${time} not null default current_timestamp,
    ${added.join(',\n    ')}
  )`
}

/** Creates the table of passkeys. They are deleted with their account. */
function passkeysTable(dialect: DemoDialect): string {
  const { flag, time } = types[dialect]
  return `create table if not exists passkeys (
    id text primary key,
    user_id integer not null references accounts (id) on delete cascade,
    user_handle text not null,
    credential_id text not null unique,
    public_key text not null,
    counter bigint not null,
    transports text not null,
    aaguid text not null,
    name text not null,
    backed_up ${flag} not null,
    created_at ${time} not null,
    last_used_at ${time}
  )`
}

/**
 * Creates the unique index of linked accounts, the table of passkeys, and the two tables of
 * sessions and counters.
 * It does nothing if they exist.
 */
export const otherTables = (dialect: DemoDialect): string[] => [
  'create unique index if not exists accounts_local_id on accounts (local_id)',
  passkeysTable(dialect),
  'create index if not exists passkeys_user_id on passkeys (user_id)',
  // The demo creates its tables at each start. Your app runs these statements in a migration.
  ...stateTables(dialect).map((statement) =>
    statement.replace(/^create (?:table|index)/, '$& if not exists'),
  ),
]
