import { type Kysely, type QueryResult, type RawBuilder, sql } from 'kysely'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import type { Dialect } from '../../sql/dialect.js'
import { withRetries } from '../../sql/driver-errors.js'
import { StateUnavailableError } from '../unavailable.js'
import { type Expressions, expressionsOf } from './expressions.js'
import { unavailable } from './failures.js'
import { createInOrder } from './in-order.js'

// biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
export type AnyKysely = Kysely<any>

/** Runs one statement. Throws if the caller has given up, so that nothing is written after that. */
export type Run = <R>(query: RawBuilder<R>) => Promise<QueryResult<R>>

/** Rolls the transaction back and begins another one on the same connection. */
type Restart = () => Promise<void>

type Kind = 'statements' | 'connection' | 'transaction'

/** Sends statements for all stores, with a time limit, retries and one type of error. */
export interface Link {
  readonly dialect: Dialect
  readonly expressions: Expressions
  readonly tables: { readonly store: string; readonly counters: string }
  /**
   * Whether inserts return rows. MySQL has no RETURNING; MariaDB and the others do.
   * @throws the error of the driver
   */
  returns(run: Run): Promise<boolean>
  /** Sets the time limit of a call, in milliseconds. */
  limit(timeoutMs: number): void
  /**
   * Runs one statement.
   * @throws StateUnavailableError
   */
  ask<R>(query: RawBuilder<R>): Promise<QueryResult<R>>
  /**
   * Runs statements, each by itself, on one connection or in one transaction. Work with one of the
   * same keys takes turns. A deadlock or a conflict repeats all of it.
   * @throws StateUnavailableError
   */
  work<T>(
    kind: Kind,
    keys: readonly string[],
    work: (run: Run, restart: Restart) => Promise<T>,
  ): Promise<T>
}

/**
 * Calls that were given up and still wait for the database. From here on, further calls fail at
 * once: a database that hangs must not collect work without limit.
 */
const mostAbandoned = 200

/**
 * Attempts, and the longest delay between two. SQLite locks the whole file for every write, so
 * processes collide more often than on rows, but each time only for a moment.
 */
const sqliteRetries = [60, 40] as const

const notInTransaction = () => Promise.reject(new Error('There is no transaction'))

/** Creates the link to the database of the app. Opens no connection. */
export function createLink(
  db: AnyKysely,
  dialect: Dialect,
  tables: Link['tables'],
  insertReturns: (run: Run) => Promise<boolean>,
): Link {
  let deadline = createDeadline(1000)
  let abandoned = 0
  const inOrder = createInOrder()

  const on = async <T>(
    kind: Kind,
    assertWanted: () => void,
    work: (run: Run, restart: Restart) => Promise<T>,
  ): Promise<T> => {
    const runOn =
      (connection: AnyKysely): Run =>
      (query) => {
        assertWanted()
        return query.execute(connection)
      }
    if (kind === 'connection')
      return db.connection().execute((own) => work(runOn(own), notInTransaction))
    if (kind === 'statements')
      // Waits for a connection before it looks whether the statement is still wanted.
      return work((query) => db.connection().execute((own) => runOn(own)(query)), notInTransaction)
    // Each statement must see what was committed before it, whatever the default of the app is.
    // On the others, the statements used here always do.
    const isPostgres = dialect === 'postgres'
    const transaction = isPostgres
      ? db.transaction().setIsolationLevel('read committed')
      : db.transaction()
    return transaction.execute(async (own) => {
      const run = runOn(own)
      const result = await work(run, async () => {
        await run(sql`rollback`)
        await run(isPostgres ? sql`begin isolation level read committed` : sql`begin`)
      })
      assertWanted()
      return result
    })
  }

  const call: Link['work'] = (kind, keys, work) => {
    if (abandoned >= mostAbandoned)
      return Promise.reject(
        new StateUnavailableError(new Error('The database has not answered earlier calls')),
      )
    let isOver = false
    let release = () => {}
    const over = new Promise<void>((resolve) => {
      release = resolve
    })
    const assertWanted = () => {
      if (isOver) throw new Error('The caller has given up')
    }
    const attempt = async () => {
      assertWanted()
      return on(kind, assertWanted, work)
    }
    let isSettled = false
    const [attempts, longestMs] = dialect === 'sqlite' ? sqliteRetries : []
    const start = () =>
      inOrder(keys, () => withRetries(dialect, attempt, attempts, longestMs), over).finally(() => {
        isSettled = true
        if (isOver) abandoned -= 1
      })
    return withDeadline(deadline, start, 'The database', (cause) => {
      if (!isSettled) {
        isOver = true
        abandoned += 1
        release()
      }
      return unavailable(dialect, cause)
    })
  }

  return {
    dialect,
    expressions: expressionsOf(dialect),
    tables,
    returns: insertReturns,
    limit(timeoutMs) {
      deadline = createDeadline(timeoutMs)
    },
    ask: (query) => call('statements', [], (run) => run(query)),
    work: call,
  }
}
