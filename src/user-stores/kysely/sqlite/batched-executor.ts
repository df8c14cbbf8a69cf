import type { ConnectionProvider, DatabaseConnection, Kysely, QueryExecutor } from 'kysely'

interface Waiting {
  readonly use: (connection: DatabaseConnection) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

/**
 * An executor that lets all who wait for the connection at the same moment use it one after the other under one lock.
 * Kysely's SQLite driver has one connection, and whenever its lock is released all who wait contend for it again: the
 * requests of fifty clients spend more on that, and on collecting what it leaves, than on their queries.
 *
 * A driver of another kind gives connections of their own to those who wait, which then do not wait for each other: as long
 * as it is not known to give the same one each time, everybody asks for themselves.
 */
// biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
export function batchedExecutor(db: Kysely<any>): QueryExecutor {
  const executor = db.getExecutor()
  let seen: DatabaseConnection | undefined
  let isOnlyOne: boolean | undefined
  let waiting: Waiting[] | undefined

  const learn = (connection: DatabaseConnection) => {
    if (isOnlyOne === false) return
    if (seen) isOnlyOne = seen === connection
    seen = isOnlyOne === false ? undefined : connection
  }

  const runAll = async (batch: Waiting[]): Promise<void> => {
    try {
      await executor.provideConnection(async (connection) => {
        waiting = undefined
        learn(connection)
        for (const { use, resolve, reject } of batch) await use(connection).then(resolve, reject)
      })
    } catch (error) {
      if (waiting === batch) waiting = undefined
      // There was no connection; who has had an answer already is not told otherwise.
      for (const { reject } of batch) reject(error)
    }
  }

  const provider: ConnectionProvider = {
    provideConnection<T>(use: (connection: DatabaseConnection) => Promise<T>): Promise<T> {
      if (!isOnlyOne) {
        return executor.provideConnection((connection) => {
          learn(connection)
          return use(connection)
        })
      }
      return new Promise<T>((resolve, reject) => {
        const item = { use, resolve, reject } as Waiting
        if (waiting) waiting.push(item)
        else {
          waiting = [item]
          void runAll(waiting)
        }
      })
    },
  }
  return executor.withConnectionProvider(provider)
}
