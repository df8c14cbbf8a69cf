import * as mysql from 'drizzle-orm/mysql-core'
import * as pg from 'drizzle-orm/pg-core'
import * as sqlite from 'drizzle-orm/sqlite-core'
import type { Dialect, Shape } from './tables.js'

/** The functions that declare columns, which depend on the dialect. */
const BUILDERS = {
  postgres: {
    integerId: () => pg.integer('id').primaryKey().generatedByDefaultAsIdentity(),
    bigintId: () => pg.bigint('id', { mode: 'bigint' }).primaryKey().generatedByDefaultAsIdentity(),
    uuidId: () => pg.uuid('account_id').primaryKey().defaultRandom(),
    text: (name: string) => pg.varchar(name, { length: 255 }),
    flag: (name: string) => pg.boolean(name),
    integer: (name: string) => pg.integer(name),
    time: (name: string) => pg.timestamp(name, { withTimezone: true, precision: 3 }),
  },
  mysql: {
    integerId: () => mysql.int('id').primaryKey().autoincrement(),
    bigintId: () => mysql.bigint('id', { mode: 'bigint' }).primaryKey().autoincrement(),
    uuidId: () => mysql.varchar('account_id', { length: 36 }).primaryKey(),
    text: (name: string) => mysql.varchar(name, { length: 255 }),
    flag: (name: string) => mysql.boolean(name),
    integer: (name: string) => mysql.int(name),
    time: (name: string) => mysql.datetime(name, { fsp: 3 }),
  },
  sqlite: {
    integerId: () => sqlite.integer('id').primaryKey({ autoIncrement: true }),
    bigintId: () => sqlite.integer('id').primaryKey(),
    uuidId: () => sqlite.text('account_id').primaryKey(),
    text: (name: string) => sqlite.text(name),
    flag: (name: string) => sqlite.integer(name, { mode: 'boolean' }),
    integer: (name: string) => sqlite.integer(name),
    time: (name: string) => sqlite.text(name),
  },
}

const MAKERS = { postgres: pg.pgTable, mysql: mysql.mysqlTable, sqlite: sqlite.sqliteTable }

/** Options of `drizzleUsers` for the table of a shape. */
export const drizzleColumns: Readonly<Record<Shape, Record<string, string>>> = {
  default: {},
  bigint: {},
  minimal: {},
  factor: {},
  legacy: { email: 'mail', isActive: 'enabled', isSuperuser: 'root', emailVerified: 'mailOk' },
}

/** The Drizzle table for a table that `createUsersTable` has made. */
// biome-ignore lint/suspicious/noExplicitAny: the type depends on dialect and shape
export function drizzleTableOf(dialect: Dialect, shape: Shape, name: string): any {
  const { integerId, bigintId, uuidId, text, flag, integer, time } = BUILDERS[dialect]
  // biome-ignore lint/suspicious/noExplicitAny: the same
  const make = MAKERS[dialect] as any
  if (shape === 'minimal')
    return make(name, {
      id: integerId(),
      email: text('email').notNull(),
      hashedPassword: text('hashed_password'),
    })
  if (shape === 'legacy')
    return make(name, {
      id: uuidId(),
      mail: text('mail').notNull(),
      username: text('login_name'),
      hashedPassword: text('pw_hash'),
      enabled: flag('enabled').notNull(),
      root: flag('root').notNull(),
      mailOk: flag('mail_ok').notNull(),
      tokenVersion: integer('epoch').notNull(),
      googleId: text('google sub'),
      githubId: text('github-id'),
      oauthProvider: text('idp'),
      createdAt: time('made'),
      updatedAt: time('changed'),
    })
  return make(name, {
    id: shape === 'bigint' ? bigintId() : integerId(),
    email: text('email').notNull(),
    username: text('username'),
    hashedPassword: text('hashed_password'),
    isActive: flag('is_active').notNull().default(true),
    isSuperuser: flag('is_superuser').notNull().default(false),
    emailVerified: flag('email_verified').notNull().default(false),
    tokenVersion: integer('token_version').notNull().default(0),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    plan: text('plan'),
    ...(shape === 'factor' && {
      totpSecretEncrypted: text('totp_secret_encrypted'),
      totpConfirmedAt: time('totp_confirmed_at'),
      totpLastStep: integer('totp_last_step'),
      mfaRecoveryCodes: text('mfa_recovery_codes'),
    }),
  })
}

/** The Drizzle table for a table that `createLinksTable` has made. */
// biome-ignore lint/suspicious/noExplicitAny: the type depends on the dialect
export function drizzleLinksOf(dialect: Dialect, name: string): any {
  const { text, integer, time } = BUILDERS[dialect]
  // biome-ignore lint/suspicious/noExplicitAny: the same
  return (MAKERS[dialect] as any)(name, {
    userId: integer('user_id').notNull(),
    provider: text('provider').notNull(),
    subject: text('subject').notNull(),
    email: text('email'),
    linkedAt: time('linked_at').notNull(),
  })
}
