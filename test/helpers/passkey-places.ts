import type { TestContext } from 'node:test'
import type { Kysely } from 'kysely'
import { type CrudAuthOptions, memoryPasskeys, type PasskeyStore } from '../../src/index.js'
import { kyselyPasskeys } from '../../src/passkey-stores/kysely.js'
import { type Backend, backends } from './backends.js'
import { openMariadb, openPostgres } from './databases.js'
import { everywhere, places } from './everywhere.js'
import { createPasskeysTable, passkeyColumns } from './passkeys-table.js'
import { type Dialect, openSqlite } from './tables.js'

const databases: Readonly<Record<string, { dialect: Dialect; open: () => Kysely<unknown> }>> = {
  sqlite: { dialect: 'sqlite', open: () => openSqlite() },
  postgres: { dialect: 'postgres', open: () => openPostgres(process.env.TEST_POSTGRES_URL ?? '') },
  mariadb: { dialect: 'mysql', open: () => openMariadb(process.env.TEST_MARIADB_URL ?? '') },
}

async function storeBeside(t: TestContext, backend: Backend): Promise<PasskeyStore> {
  const found = databases[backend.name]
  if (!found) return memoryPasskeys()
  const db = found.open()
  const table = await createPasskeysTable(db, passkeyColumns(found.dialect))
  t.after(async () => {
    await table.drop()
    await db.destroy()
  })
  return kyselyPasskeys(db, { table: table.name })
}

/** Where an app with passkeys keeps its state and its passkeys in a test. */
export interface PasskeyPlace {
  readonly name: string
  /** Isolated from all other tests. A database has the passkeys beside the state. */
  open(t: TestContext): Promise<{ auth: Partial<CrudAuthOptions>; store: PasskeyStore }>
}

const placeOf = (backend: Backend): PasskeyPlace => ({
  name: backend.name,
  open: async (t) => ({ auth: places(t, backend), store: await storeBeside(t, backend) }),
})

/** Places for tests of behaviour. */
export const passkeyPlaces: readonly PasskeyPlace[] = backends.map(placeOf)

/** All places, for requests that may meet. */
export const passkeysEverywhere: readonly PasskeyPlace[] = everywhere.map(placeOf)
