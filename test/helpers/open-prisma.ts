import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3'
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { PrismaPg } from '@prisma/adapter-pg'
import type { Kysely } from 'kysely'
import { addBind } from './bound-statements.js'
import { openMariadb, openPostgres, serverOf } from './databases.js'
import { openSqlite } from './sqlite.js'
import type { Dialect } from './tables.js'

const postgres = serverOf('TEST_POSTGRES_URL')
const mariadb = serverOf('TEST_MARIADB_URL')

/** A database for Prisma: Kysely to create its tables, and adapters for clients. */
export interface PrismaDatabase {
  // biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
  readonly db: Kysely<any>
  /** File of the SQLite database. */
  readonly path?: string
  /** @param address URL of another server */
  adapter(address?: string): object
  close(): Promise<void>
}

/** Opens a database. On SQLite that is a new file. */
export function openForPrisma(dialect: Dialect): PrismaDatabase {
  if (dialect === 'sqlite') {
    addBind()
    const folder = mkdtempSync(join(tmpdir(), 'crudauth-prisma-'))
    const path = join(folder, 'users.db')
    const db = openSqlite(path)
    return {
      db,
      path,
      adapter: () => new PrismaBetterSqlite3({ url: path, timeout: 5000 }),
      close: async () => {
        await db.destroy()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }
  const db = dialect === 'postgres' ? openPostgres(postgres.url) : openMariadb(mariadb.url)
  const adapter = (address?: string) => {
    if (dialect === 'postgres')
      return new PrismaPg({ connectionString: address ?? postgres.url, max: 10 })
    const { hostname, port, username, password, pathname } = new URL(address ?? mariadb.url)
    const database = pathname.slice(1)
    return new PrismaMariaDb({
      ...{ host: hostname, port: Number(port), user: username, password, database },
      connectionLimit: 10,
    })
  }
  return { db, adapter, close: () => db.destroy() }
}
