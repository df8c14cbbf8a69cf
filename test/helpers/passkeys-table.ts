import { randomBytes } from 'node:crypto'
import * as mysql from 'drizzle-orm/mysql-core'
import * as pg from 'drizzle-orm/pg-core'
import * as sqlite from 'drizzle-orm/sqlite-core'
import { type Kysely, sql } from 'kysely'
import type { FourUsers } from '../../src/testing/passkeys/bench.js'
import type { Dialect } from './tables.js'

/** Type of the user ids in a table of passkeys. */
export type IdType = 'integer' | 'bigint' | 'text'

export const idTypes: readonly IdType[] = ['integer', 'bigint', 'text']

/** User ids of this type, as values of JavaScript. */
export const usersOf: Readonly<Record<IdType, FourUsers>> = {
  integer: [1, 2, 3, 4],
  bigint: [1n, 2n, 3n, 4n],
  text: ['1', '2', 'a', 'A'],
}

/** Types of the columns. Texts have the default collation, which ignores case in MariaDB. */
const TYPES = {
  postgres: {
    text: (length: number) => `varchar(${length})`,
    key: (length: number) => `varchar(${length})`,
    ...{ flag: 'boolean', time: 'timestamptz', counter: 'bigint' },
  },
  mysql: {
    text: (length: number) => (length > 255 ? 'text' : `varchar(${length})`),
    key: (length: number) => `varbinary(${length})`,
    ...{ flag: 'boolean', time: 'datetime(3)', counter: 'bigint' },
  },
  sqlite: {
    text: () => 'text',
    key: () => 'text',
    ...{ flag: 'integer', time: 'text', counter: 'integer' },
  },
}

/** The columns of a table of passkeys. */
export function passkeyColumns(dialect: Dialect, id: IdType = 'integer'): Record<string, string> {
  const { text, key, flag, time, counter } = TYPES[dialect]
  return {
    id: `${key(22)} not null primary key`,
    user_id: `${id === 'text' ? text(64) : id} not null`,
    user_handle: `${text(86)} not null`,
    credential_id: `${key(1364)} not null unique`,
    public_key: `${text(4095)} not null`,
    counter: `${counter} not null`,
    transports: `${text(255)} not null`,
    aaguid: `${text(36)} not null`,
    name: `${text(100)} not null`,
    backed_up: `${flag} not null`,
    created_at: `${time} not null`,
    last_used_at: time,
  }
}

/** Creates a table of passkeys. */
export async function createPasskeysTable(
  // biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
  db: Kysely<any>,
  columns: Readonly<Record<string, string | null>>,
  name = `passkeys_${randomBytes(6).toString('hex')}`,
): Promise<{ name: string; drop(): Promise<void> }> {
  const lines = Object.entries(columns).flatMap(([column, type]) =>
    type === null ? [] : [`${column} ${type}`],
  )
  await sql.raw(`create table ${name} (${lines.join(', ')})`).execute(db)
  return {
    name,
    drop: async () => {
      await sql.raw(`drop table ${name}`).execute(db)
    },
  }
}

const BUILDERS = {
  postgres: {
    make: pg.pgTable,
    text: (name: string, length: number) => pg.varchar(name, { length }),
    key: (name: string, length: number) => pg.varchar(name, { length }),
    integer: pg.integer,
    bigint: (name: string) => pg.bigint(name, { mode: 'bigint' }),
    counter: (name: string) => pg.bigint(name, { mode: 'number' }),
    flag: pg.boolean,
    time: (name: string) => pg.timestamp(name, { withTimezone: true, mode: 'string' }),
  },
  mysql: {
    make: mysql.mysqlTable,
    text: (name: string, length: number) => mysql.varchar(name, { length }),
    key: (name: string, length: number) => mysql.varbinary(name, { length }),
    integer: mysql.int,
    bigint: (name: string) => mysql.bigint(name, { mode: 'bigint' }),
    counter: (name: string) => mysql.bigint(name, { mode: 'number' }),
    flag: mysql.boolean,
    time: (name: string) => mysql.datetime(name, { fsp: 3, mode: 'string' }),
  },
  sqlite: {
    make: sqlite.sqliteTable,
    text: (name: string) => sqlite.text(name),
    key: (name: string) => sqlite.text(name),
    integer: (name: string) => sqlite.integer(name),
    bigint: (name: string) => sqlite.integer(name),
    counter: (name: string) => sqlite.integer(name),
    flag: (name: string) => sqlite.integer(name, { mode: 'boolean' }),
    time: (name: string) => sqlite.text(name),
  },
}

/** The Drizzle table for a table that `createPasskeysTable` has made. */
// biome-ignore lint/suspicious/noExplicitAny: the type depends on the dialect
export function drizzlePasskeysOf(dialect: Dialect, name: string, id: IdType = 'integer'): any {
  // biome-ignore lint/suspicious/noExplicitAny: the same
  const { make, text, key, integer, bigint, counter, flag, time } = BUILDERS[dialect] as any
  const userId = { integer, bigint, text: (column: string) => text(column, 64) }[id]
  return make(name, {
    id: key('id', 22).notNull(),
    userId: userId('user_id').notNull(),
    userHandle: text('user_handle', 86).notNull(),
    credentialId: key('credential_id', 1364).notNull(),
    publicKey: text('public_key', 4095).notNull(),
    counter: counter('counter').notNull(),
    transports: text('transports', 255).notNull(),
    aaguid: text('aaguid', 36).notNull(),
    name: text('name', 100).notNull(),
    backedUp: flag('backed_up').notNull(),
    createdAt: time('created_at').notNull(),
    lastUsedAt: time('last_used_at'),
  })
}

/** The models for tables that `createPasskeysTable` has made: `model TextPasskey` and so on. */
export function prismaPasskeysOf(dialect: Dialect, name: string, id: IdType = 'integer'): string {
  const text = (length: number) =>
    dialect === 'sqlite'
      ? ''
      : dialect === 'mysql' && length > 255
        ? '@db.Text'
        : `@db.VarChar(${length})`
  const key = dialect === 'mysql' ? 'Bytes' : 'String'
  const keyType = (length: number) =>
    dialect === 'mysql' ? `@db.VarBinary(${length})` : text(length)
  const model = { integer: 'Passkey', bigint: 'BigintPasskey', text: 'TextPasskey' }[id]
  const userId = { integer: 'Int', bigint: 'BigInt', text: 'String' }[id]
  const time = { sqlite: '', mysql: '@db.DateTime(3)', postgres: '@db.Timestamptz(3)' }[dialect]
  return `model ${model} {
  id           ${key}    @id ${keyType(22)}
  userId       ${userId} @map("user_id") ${id === 'text' ? text(64) : ''}
  userHandle   String    @map("user_handle") ${text(86)}
  credentialId ${key}    @unique @map("credential_id") ${keyType(1364)}
  publicKey    String    @map("public_key") ${text(4095)}
  counter      BigInt
  transports   String    ${text(255)}
  aaguid       String    ${text(36)}
  name         String    ${text(100)}
  backedUp     Boolean   @map("backed_up")
  createdAt    DateTime  @map("created_at") ${time}
  lastUsedAt   DateTime? @map("last_used_at") ${time}
  @@map("${name}")
}`
}
