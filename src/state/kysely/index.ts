import type { Kysely } from 'kysely'
import { ConfigError } from '../../errors.js'
import { checkInteger, checkObject } from '../../lib/option-checks.js'
import type { StateStores } from '../../ports/state-stores.js'
import { dialectOf } from '../../sql/kysely/dialect.js'
import { insertReturns } from '../../sql/kysely/insert-returns.js'
import type { KyselyInstance } from '../../sql/kysely/instance.js'
import { kyselyCounters } from './counters.js'
import { type StateTables, tableNames } from './ddl.js'
import { createLink } from './link.js'
import { kyselyOneTime } from './one-time.js'
import { createPurge } from './purge.js'
import { createPurgeTimer } from './purge-timer.js'
import { kyselySessions } from './sessions.js'
import { verifyTables } from './verify.js'

export type { KyselyInstance } from '../../sql/kysely/instance.js'
export { type StateTables, stateTables } from './ddl.js'

/** Options of `kyselyState()`. */
export interface KyselyStateOptions {
  /**
   * Names of the two tables.
   * @defaultValue `crudauth_store` and `crudauth_counters`
   */
  tables?: StateTables
  /**
   * Seconds between two purges of expired rows. 0: only when you call `purge()`.
   * @defaultValue `300`
   */
  purgeSeconds?: number
  /**
   * SQL dialect.
   * @defaultValue that of the Kysely instance
   */
  dialect?: 'postgres' | 'mysql' | 'sqlite'
}

/** State in SQL: the stores for the option `state`. */
export interface KyselyState extends StateStores {
  /**
   * Deletes expired rows, in batches. Returns their number. The plugin calls it every
   * `purgeSeconds`.
   * @throws StateUnavailableError
   */
  purge(): Promise<number>
}

/**
 * State in two tables of your database, for apps without Redis: PostgreSQL, MySQL 8, MariaDB 10.5
 * or SQLite 3.35, or later. All processes with the same tables share it. Create the tables with
 * `stateTables()`.
 *
 * The connection stays yours to configure and close. Pass the instance of the pool, not a
 * transaction.
 * @throws ConfigError for invalid options
 * @example
 * await app.register(crudAuth, { secret, users: kyselyUsers(db), state: kyselyState(db) })
 */
export function kyselyState(
  instance: KyselyInstance,
  options: KyselyStateOptions = {},
): KyselyState {
  checkObject('kyselyState', options, ['tables', 'purgeSeconds', 'dialect'])
  if (options.tables !== undefined) checkObject('tables', options.tables, ['store', 'counters'])
  const purgeSeconds = checkInteger('purgeSeconds', options.purgeSeconds, 300, 0, 86_400)
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  const given = instance as unknown as Kysely<any>
  const dialect = dialectOf('kyselyState', given, options.dialect)
  if (given.isTransaction)
    throw new ConfigError('kyselyState(db) needs the instance of the pool, not a transaction')
  // Plugins of the app may rename tables and columns.
  const db = given.withoutPlugins()
  const link = createLink(db, dialect, tableNames(options.tables), insertReturns(db, dialect))
  const purge = createPurge(link)
  const purgeTimer = createPurgeTimer(purge, purgeSeconds)
  return {
    sessions: kyselySessions(link),
    oneTime: kyselyOneTime(link),
    counters: kyselyCounters(link),
    purge: () => purge(),
    start({ timeoutMs, log }) {
      link.limit(timeoutMs)
      return purgeTimer(log)
    },
    verify: () => verifyTables(db, link),
  }
}
