import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Sql } from './expressions.js'
import type { Link, Run } from './link.js'

/**
 * Runs statements while no other process changes several sessions of these owners.
 * @throws StateUnavailableError
 */
export type WithOwners = <T>(
  owners: readonly string[],
  work: (run: Run) => Promise<T>,
) => Promise<T>

/** Number of the lock of an owner, of 64 bits. */
const lockNumber = (text: string) =>
  createHash('sha256').update(text).digest().readBigInt64BE(0).toString()

/**
 * Creates the locks of owners: advisory locks in a transaction on PostgreSQL, named locks on MySQL.
 * SQLite has one writer anyway. Locks are taken in one order, so that two processes never wait for
 * each other.
 */
export function createOwnerLocks(link: Link): WithOwners {
  const { dialect, expressions, tables } = link
  const { integer } = expressions
  const each = (locks: readonly string[], expression: (lock: string) => Sql) =>
    sql<Record<string, unknown>>`select ${sql.join(locks.map(expression))}`
  const name = (lock: string) => `crudauth ${lock}`

  return (owners, work) => {
    const locks = owners.map((owner) => lockNumber(`${tables.store} ${owner}`)).sort()
    if (dialect === 'sqlite') return link.work('statements', owners, work)
    if (dialect === 'postgres')
      return link.work('transaction', owners, async (run) => {
        await run(each(locks, (lock) => sql`pg_advisory_xact_lock(${integer(lock)})`))
        return work(run)
      })
    return link.work('connection', owners, async (run, { finish }) => {
      try {
        // A second, because a caller has given up by then, or soon after.
        const held = await run(each(locks, (lock) => sql`get_lock(${name(lock)}, 1)`))
        if (Object.values(held.rows[0] ?? {}).some((got) => Number(got) !== 1))
          throw new Error('The lock of a user is taken')
        return await work(run)
      } finally {
        // If the connection is lost, the server releases them.
        await finish(each(locks, (lock) => sql`release_lock(${name(lock)})`)).catch(() => undefined)
      }
    })
  }
}
