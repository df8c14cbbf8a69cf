import { type Kysely, sql } from 'kysely'
import {
  type KyselyState,
  type KyselyStateOptions,
  kyselyState,
  stateTables,
} from '../../src/state/kysely/index.js'
import { counterStoreConformance } from '../../src/testing/counter-store.js'
import { oneTimeStoreConformance } from '../../src/testing/one-time-store.js'
import { sessionStoreConformance } from '../../src/testing/session-store.js'
import type { ConformanceOptions } from '../../src/testing/store-kit.js'
import { type Dialect, newTables } from './tables.js'

// biome-ignore lint/suspicious/noExplicitAny: each test creates its own tables
type Db = Kysely<any>

export interface StateUnderTest {
  readonly tables: { readonly store: string; readonly counters: string }
  readonly state: KyselyState
  drop(): Promise<void>
}

export async function createTables(
  db: Db,
  dialect: Dialect,
  tables: StateUnderTest['tables'],
): Promise<void> {
  for (const statement of stateTables(dialect, tables)) await sql.raw(statement).execute(db)
}

/**
 * Creates state tables and the state in them. Its time limit is long enough that a machine busy
 * with other tests doesn't look like an outage.
 */
export async function createState(
  db: Db,
  dialect: Dialect,
  options: KyselyStateOptions = {},
): Promise<StateUnderTest> {
  const tables = newTables()
  await createTables(db, dialect, tables)
  const state = kyselyState(db, { tables, purgeSeconds: 0, ...options })
  const stop = state.start?.({ timeoutMs: 20_000, log: () => {} })
  return {
    tables,
    state,
    async drop() {
      await stop?.()
      for (const name of Object.values(tables)) await sql`drop table ${sql.table(name)}`.execute(db)
    },
  }
}

/** Declares the tests of all three kits. */
export function stateKits(
  name: string,
  dialect: Dialect,
  open: () => Db | Promise<Db>,
  test?: ConformanceOptions['test'],
): void {
  const factory =
    <Kind extends 'sessions' | 'oneTime' | 'counters'>(kind: Kind) =>
    async () => {
      const db = await open()
      const { state, drop } = await createState(db, dialect)
      return {
        store: state[kind],
        close: async () => {
          await drop()
          await db.destroy()
        },
      }
    }
  const given = test ? { test } : {}
  sessionStoreConformance(factory('sessions'), { name: `${name} sessions`, ...given })
  oneTimeStoreConformance(factory('oneTime'), { name: `${name} one-time values`, ...given })
  counterStoreConformance(factory('counters'), { name: `${name} counters`, ...given })
}
