import type { Catalog } from './catalog.js'
import type { Dialect } from './dialect.js'
import { type Failure, withRetries } from './driver-errors.js'

/** A row, by the names that the query builder uses for its columns. */
export type TableRow = Record<string, unknown>

/** Encoded values by column. */
export type TableValues = ReadonlyMap<string, unknown>

/**
 * A condition for one column. `equal` compares as the database does (collations, conversions) and
 * never with null; `same` compares text byte by byte, and null matches NULL. Values are encoded.
 */
export type Condition =
  | { readonly column: string; readonly is: 'equal' | 'same'; readonly value: unknown }
  | { readonly column: string; readonly is: 'null' | 'present' }

/**
 * A table of the app's through its query builder. The stores of users, provider links and passkeys
 * are written once over this port. Every method is one atomic statement, unless an adapter says
 * otherwise.
 */
export interface Table {
  /** Name for messages. */
  readonly name: string
  readonly dialect: Dialect
  /** The app's transaction: a failed statement may abort it, so nothing is tried twice. */
  readonly isTransaction: boolean
  /** The name of a column in the database. */
  nameOf(column: string): string
  /**
   * Turns a value into what the query builder stores in a column.
   * @throws UserValueError that names `field`, for a value that the column can't hold
   */
  encode(column: string, value: unknown, field: string): unknown
  /** Whether the query builder stores bytes in this column and refuses text. */
  holdsBytes?(column: string): boolean
  /** Whether the query builder makes the value of a new row that has none for this column. */
  makes?(column: string): boolean
  /** Inserts a row. `row` is absent if the database doesn't return it; `id` is then its new key. */
  insert(values: TableValues): Promise<{ readonly row?: TableRow; readonly id?: unknown }>
  /** One row that meets all conditions. With `keyOnly`, possibly only the key and compared columns. */
  findOne(where: readonly Condition[], keyOnly?: boolean): Promise<TableRow | undefined>
  findMany(where: readonly Condition[]): Promise<TableRow[]>
  /** Compare-and-set: writes to the row that meets all conditions. False if no row does. */
  update(values: TableValues, where: readonly Condition[]): Promise<boolean>
  /**
   * Deletes what meets all conditions, if `keepOneOf` is met by at least two rows. Parallel calls
   * never delete the last of them. False if nothing was deleted.
   */
  remove(where: readonly Condition[], keepOneOf?: readonly Condition[]): Promise<boolean>
  /** The meaning of an error; `columns` has the names of the database. */
  failureOf(error: unknown): Failure
  /** Reads the table from the catalog of the database. */
  catalog(): Promise<Catalog>
  /** Whether integers above 2^53 in this column are read as other numbers. */
  rounds(column: string): Promise<boolean>
}

/**
 * Repeats statements that the database has rolled back for a deadlock or a conflict, outside of
 * transactions.
 */
export function retrying(table: Table): Table {
  if (table.isTransaction) return table
  const { failureOf } = table
  return {
    ...table,
    insert: (values) => withRetries(failureOf, () => table.insert(values)),
    findOne: (where, keyOnly) => withRetries(failureOf, () => table.findOne(where, keyOnly)),
    findMany: (where) => withRetries(failureOf, () => table.findMany(where)),
    update: (values, where) => withRetries(failureOf, () => table.update(values, where)),
    remove: (where, keepOneOf) => withRetries(failureOf, () => table.remove(where, keepOneOf)),
  }
}
