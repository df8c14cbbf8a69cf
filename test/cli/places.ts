import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  Kysely,
  MysqlDialect,
  PostgresDialect,
  type SqliteDatabase,
  SqliteDialect,
  sql,
} from 'kysely'
import Database from 'libsql'
import { createPool } from 'mysql2'
import pg from 'pg'
import { openMariadb, openPostgres, serverOf } from '../helpers/databases.js'
import type { Dialect } from '../helpers/tables.js'

/** An empty database of its own: the names of the printed tables are fixed. */
export interface EmptyDatabase {
  // biome-ignore lint/suspicious/noExplicitAny: the tables are printed by the command
  readonly db: Kysely<any>
  /** What the driver calls a connection, for Drizzle. */
  readonly client: unknown
  /** File or URL. */
  readonly address: string
}

const newName = () => `cli_${randomBytes(6).toString('hex')}`

function openFile(t: TestContext): EmptyDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-cli-'))
  const address = join(folder, 'app.db')
  const client = new Database(address)
  client.exec('pragma foreign_keys = on')
  const db = new Kysely({
    dialect: new SqliteDialect({ database: client as unknown as SqliteDatabase }),
  })
  t.after(async () => {
    await db.destroy()
    rmSync(folder, { recursive: true, force: true })
  })
  return { db, client, address }
}

async function openOnServer(
  t: TestContext,
  dialect: 'postgres' | 'mysql',
  url: string,
): Promise<EmptyDatabase> {
  const admin = dialect === 'postgres' ? openPostgres(url) : openMariadb(url)
  const name = newName()
  await sql.raw(`create database ${name}`).execute(admin)
  const address = new URL(url)
  address.pathname = `/${name}`
  const pool =
    dialect === 'postgres'
      ? new pg.Pool({ connectionString: address.href, max: 5 })
      : createPool({ uri: address.href, connectionLimit: 5 })
  if (pool instanceof pg.Pool) pool.on('error', () => {})
  // biome-ignore lint/suspicious/noExplicitAny: the tables are printed by the command
  const db = new Kysely<any>({
    dialect: pool instanceof pg.Pool ? new PostgresDialect({ pool }) : new MysqlDialect({ pool }),
  })
  t.after(async () => {
    await db.destroy()
    try {
      await sql.raw(`drop database ${name}`).execute(admin)
    } finally {
      // Open connections would keep the process of a failed test running.
      await admin.destroy()
    }
  })
  return { db, client: pool instanceof pg.Pool ? pool : pool.promise(), address: address.href }
}

const servers = {
  postgres: serverOf('TEST_POSTGRES_URL'),
  mysql: serverOf('TEST_MARIADB_URL'),
}

export const skipOf = (dialect: Dialect): string | false =>
  dialect === 'sqlite' ? false : servers[dialect].skip

/** Opens an empty database, which is dropped after the test. */
export const openEmpty = async (t: TestContext, dialect: Dialect): Promise<EmptyDatabase> =>
  dialect === 'sqlite' ? openFile(t) : openOnServer(t, dialect, servers[dialect].url)

const sameType = (type: unknown): string =>
  String(type)
    .toLowerCase()
    .replace(/^(?:big)?int(?:eger)?(?:\(\d+\))?/, (name) =>
      name.startsWith('big') ? 'bigint' : 'integer',
    )

/** Columns and indexes of all tables, in a form that doesn't depend on names of constraints. */
export async function describeTables(db: EmptyDatabase['db'], dialect: Dialect): Promise<string[]> {
  if (dialect === 'sqlite') {
    const { rows } = await sql<Record<string, unknown>>`
      select m.name as t, c.name as c, c.type, c."notnull" as n, c.dflt_value as d, c.pk
      from sqlite_master m join pragma_table_xinfo(m.name) c
      where m.type = 'table' and m.name not like 'sqlite%' order by 1, 2`.execute(db)
    const indexes = await sql<Record<string, unknown>>`
      select m.name as t, l."unique" as u, (select group_concat(name, ',') from pragma_index_info(l.name)) as c
      from sqlite_master m join pragma_index_list(m.name) l
      where m.type = 'table' order by 1, 2, 3`.execute(db)
    const keys = await sql<Record<string, unknown>>`
      select m.name as t, f."from" as f, f."table" as target, f.on_delete as d
      from sqlite_master m join pragma_foreign_key_list(m.name) f
      where m.type = 'table' order by 1, 2`.execute(db)
    return [
      ...rows.map(({ t, c, type, n, d, pk }) => {
        // SQLite gives a primary key of integers no null. Its flags are numbers or booleans.
        const fallback = d === 'true' ? '1' : d === 'false' ? '0' : d
        const isRequired = Number(n) === 1 || Number(pk) > 0
        return [t, c, sameType(type).replace('bigint', 'integer'), isRequired, fallback, pk].join(
          ' ',
        )
      }),
      ...indexes.rows.map(({ t, u, c }) => `${t} index ${u} ${c}`),
      ...keys.rows.map(({ t, f, target, d }) => `${t} ${f} to ${target} ${d}`),
    ]
  }
  const schema = dialect === 'postgres' ? sql`current_schema()` : sql`database()`
  const columns = await sql<Record<string, unknown>>`
    select table_name as t, column_name as c, ${sql.ref(dialect === 'postgres' ? 'udt_name' : 'column_type')} as type,
      character_maximum_length as l, is_nullable as n, column_default as d, collation_name as k,
      ${dialect === 'postgres' ? sql`identity_generation` : sql`extra`} as i
    from information_schema.columns where table_schema = ${schema} order by 1, 2`.execute(db)
  const indexes =
    dialect === 'postgres'
      ? await sql<{ t: string; c: string }>`
          select c.relname as t, i.indisunique::text || i.indisprimary::text || ' ' ||
            regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') as c
          from pg_index i join pg_class c on c.oid = i.indrelid
          join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = current_schema() order by 1, 2`.execute(db)
      : await sql<{ t: string; c: string }>`
          select table_name as t, concat(non_unique, index_name = 'PRIMARY', ' ',
            group_concat(column_name order by seq_in_index)) as c
          from information_schema.statistics where table_schema = database()
          group by table_name, index_name, non_unique order by 1, 2`.execute(db)
  const keys = await sql<{ t: string; d: string }>`
    select constraint_name as t, delete_rule as d from information_schema.referential_constraints
    where constraint_schema = ${schema}`.execute(db)
  return [
    ...columns.rows.map(({ t, c, type, l, n, d, k, i }) =>
      [t, c, sameType(type), l, n, d, k, i].join(' '),
    ),
    ...indexes.rows.map(({ t, c }) => `${t} index ${c}`),
    ...keys.rows.map(({ d }) => `foreign key ${d}`),
  ]
}
