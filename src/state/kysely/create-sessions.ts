import { createHash, randomInt } from 'node:crypto'
import { sql } from 'kysely'
import type { Sql } from './expressions.js'
import type { Link, Run } from './link.js'
import { DIGITS, handleOf } from './session-value.js'

/** A session to create, as a row. */
interface NewRow {
  readonly key: string
  readonly owner: string
  readonly value: string
  readonly ttlMs: number
  readonly cap: number
  /** Key of the session to end in the same step. */
  readonly replaces: string | undefined
}

interface Pending {
  readonly row: NewRow
  readonly resolve: (evicted: string[]) => void
  readonly reject: (error: unknown) => void
}

/** Sessions that one statement creates at most. A sign-in creates a session and a known device. */
const mostTogether = 4

/** A 64-bit number that names the lock of an owner. */
const lockNumber = (owner: string) =>
  createHash('sha256').update(owner).digest().readBigInt64BE(0).toString()

/**
 * Creates sessions. One statement writes the new rows, ends the replaced ones and evicts the
 * surplus. Rows that end are not deleted but marked as expired, because only then can one statement
 * do all of it on every dialect.
 *
 * Two creations for one owner must not overlap, or neither would count the other. So each holds a
 * lock of the owner: an advisory lock on PostgreSQL, a named one on MySQL. SQLite has one writer.
 */
export function createSessionCreation(link: Link): (row: NewRow) => Promise<string[]> {
  const { dialect, expressions, tables } = link
  const { now, integer, text, incoming, stored } = expressions
  const table = sql.table(tables.store)
  const column = (name: string) => sql.ref(name)
  const [key, value, owner, version, expiresAt] = [
    column('key'),
    column('value'),
    column('owner'),
    column('version'),
    column('expires_at'),
  ] as [Sql, Sql, Sql, Sql, Sql]

  /**
   * Rows of one session: the new one, the replaced one and the evicted ones. `mark` is the expiry
   * of the evicted ones, by which they are found again. Its columns have other names than those of
   * the table, because MySQL would find the latter ambiguous.
   */
  const rowsOf = (row: NewRow, mark: number): Sql => {
    const others = row.replaces === undefined ? [row.key] : [row.key, row.replaces]
    const fresh = sql`select ${text(row.key)} as k, ${text(row.value)} as v, ${text(row.owner)} as o, ${integer('1')} as n, ${now} + ${integer(row.ttlMs)} as e`
    const ended =
      row.replaces === undefined
        ? sql``
        : sql` union all select ${key}, ${value}, ${owner}, ${version}, 0 from ${table}
            where ${key} = ${row.replaces} and ${owner} = ${row.owner} and ${expiresAt} > ${now}`
    if (!Number.isFinite(row.cap)) return sql`${fresh}${ended}`
    // The least recently active first, then the oldest.
    const ranked = sql`select ${key} as k, ${value} as v, ${owner} as o, ${version} as n,
        row_number() over (order by substr(${value}, 1, ${sql.lit(2 * DIGITS)}), ${key}) as place,
        count(*) over () as total
      from ${table}
      where ${owner} = ${row.owner} and ${expiresAt} > ${now} and ${key} not in (${sql.join(others)})`
    return sql`${fresh}${ended}
      union all select k, v, o, n, ${sql.lit(mark)} from (${ranked}) as ranked
        where place <= total + 1 - ${integer(row.cap)}`
  }

  const insert = (rows: readonly NewRow[], mark: number, returns: boolean) => sql<{
    value: string
    owner: string
    expires_at: unknown
  }>`insert into ${expressions.into(tables.store)} (${key}, ${value}, ${owner}, ${version}, ${expiresAt})
    select k, v, o, n, e from (${sql.join(
      rows.map((row) => rowsOf(row, mark)),
      sql` union all `,
    )}) as rows_of_all where true
    ${expressions.onConflict} ${value} = ${incoming('value')}, ${version} = ${stored('version')} + 1, ${expiresAt} = ${incoming('expires_at')}
    ${returns ? sql`returning ${value}, ${expressions.key('owner')}, ${expiresAt}` : sql``}`

  const write = async (run: Run, rows: readonly NewRow[]) => {
    const mark = -randomInt(1, 2 ** 47)
    const returns = await link.returns(run)
    const inserted = await run(insert(rows, mark, returns))
    if (returns) return inserted.rows.filter((row) => Number(row.expires_at) === mark)
    const owners = rows.map((row) => row.owner)
    const found = await run(
      sql<{
        value: string
        owner: string
      }>`select ${value}, ${expressions.key('owner')} from ${table}
        where ${owner} in (${sql.join(owners)}) and ${expiresAt} = ${integer(mark)}`,
    )
    return found.rows
  }

  const withLocks = async <T>(run: Run, owners: readonly string[], work: () => Promise<T>) => {
    const locks = owners.map((each) => lockNumber(`${tables.store} ${each}`)).sort()
    const each = (expression: (lock: string) => Sql) =>
      sql<Record<string, unknown>>`select ${sql.join(locks.map(expression))}`
    if (dialect === 'postgres') {
      await run(each((lock) => sql`pg_advisory_xact_lock(${integer(lock)})`))
      return work()
    }
    const name = (lock: string) => `crudauth ${lock}`
    // A second, because a caller has given up by then, or soon after.
    const held = await run(each((lock) => sql`get_lock(${name(lock)}, 1)`))
    try {
      if (Object.values(held.rows[0] ?? {}).some((got) => Number(got) !== 1))
        throw new Error('The lock of a user is taken')
      return await work()
    } finally {
      // If the connection is lost, the server releases the locks.
      await run(each((lock) => sql`release_lock(${name(lock)})`)).catch(() => undefined)
    }
  }

  const createAll = (rows: readonly NewRow[]) => {
    const owners = rows.map((row) => row.owner)
    if (dialect === 'sqlite') return link.work('statements', owners, (run) => write(run, rows))
    return link.work(dialect === 'postgres' ? 'transaction' : 'connection', owners, (run) =>
      withLocks(run, owners, () => write(run, rows)),
    )
  }

  let waiting: Pending[] = []
  const flush = () => {
    const together = waiting
    waiting = []
    createAll(together.map(({ row }) => row)).then(
      (evicted) => {
        for (const { row, resolve } of together)
          resolve(evicted.filter((each) => each.owner === row.owner).map(handleValue))
      },
      (error) => {
        for (const { reject } of together) reject(error)
      },
    )
  }

  return (row) =>
    new Promise((resolve, reject) => {
      const isFull = waiting.length >= mostTogether
      if (isFull || waiting.some((pending) => pending.row.owner === row.owner)) flush()
      waiting.push({ row, resolve, reject })
      if (waiting.length > 1) return
      const first = waiting
      // What one sign-in creates is created in one tick.
      queueMicrotask(() => {
        if (waiting === first) flush()
      })
    })
}

const handleValue = ({ value }: { readonly value: string }) => handleOf(value)
