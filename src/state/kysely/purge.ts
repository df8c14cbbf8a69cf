import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Link } from './link.js'

/** Rows that one statement deletes. Few, so that it holds their locks only for a moment. */
const batchSize = 500
/** Pause between two batches, for the requests. */
const pauseMs = 20

/**
 * Deletes expired rows in batches, on a connection of its own for each. They count as absent before
 * that, so nothing depends on when it runs. Returns the number of rows.
 */
export function createPurge(link: Link): (isWanted?: () => boolean) => Promise<number> {
  const { dialect, expressions, tables } = link
  const [key, expiresAt] = [sql.ref('key'), sql.ref('expires_at')]

  const batch = (name: string) => {
    const table = sql.table(name)
    const expired = sql`${expiresAt} <= ${expressions.now} order by ${expiresAt} limit ${sql.lit(batchSize)}`
    if (dialect === 'mysql') return sql`delete from ${table} where ${expired}`
    // Rows that a request is writing are skipped: they live again, or are deleted next time.
    const locking = dialect === 'postgres' ? sql` for update skip locked` : sql``
    return sql`delete from ${table} where ${key} in (select ${key} from ${table} where ${expired}${locking})`
  }

  return async (isWanted = () => true) => {
    let total = 0
    for (const name of [tables.store, tables.counters]) {
      for (;;) {
        if (!isWanted()) return total
        const { numAffectedRows } = await link.ask(batch(name))
        total += Number(numAffectedRows)
        if (Number(numAffectedRows) < batchSize) break
        await sleep(pauseMs)
      }
    }
    return total
  }
}
