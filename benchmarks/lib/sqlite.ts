import { join } from 'node:path'
import Database from 'libsql'

/** A libsql database. */
export type Sqlite = InstanceType<typeof Database>

/** Opens SQLite in a file, with the same settings for all servers. */
export function openSqlite(folder: string): Sqlite {
  const database = new Database(join(folder, 'users.db'))
  database.exec('pragma journal_mode = wal')
  database.exec('pragma synchronous = normal')
  return database
}

/** The users table of the plugin's and the hand-written servers. */
export const usersTable = `create table users (
  id integer primary key,
  email text not null unique,
  username text unique,
  hashed_password text,
  is_active integer not null default 1,
  is_superuser integer not null default 0,
  email_verified integer not null default 0,
  token_version integer not null default 0,
  created_at text not null,
  updated_at text not null
)`
