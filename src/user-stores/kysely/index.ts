import type { CompiledQuery, Kysely, QueryResult } from 'kysely'
import { ConfigError, DuplicateUserError, UserValueError } from '../../errors.js'
import { MFA_FIELDS, type UserId, type UserStore, type UserValues } from '../../ports/user-store.js'
import { type Failure, failureOf, withRetries } from '../../sql/driver-errors.js'
import { dialectOf, insertReturns, type KyselyInstance } from '../../sql/kysely-dialect.js'
import {
  CORE_FIELDS,
  checkTable,
  isIdentifier,
  isStandardField,
  resolveColumns,
  timestampColumns,
  uniqueFields,
} from '../fields.js'
import { modelCheck } from '../sql/model-check.js'
import { encoder, isPossibleId, isPossibleKey, isSameKey } from '../sql/values.js'
import { compareSchema } from './compare-schema.js'
import type { KyselyUsersOptions } from './options.js'
import { type Condition, statements } from './statements.js'

export type { KyselyInstance } from '../../sql/kysely-dialect.js'
export type { KyselyUsersOptions, TimestampColumn } from './options.js'
export { cachedStatements } from './sqlite/cached-statements.js'

const DEFAULTS: readonly [string, unknown][] = [
  ['isActive', true],
  ['isSuperuser', false],
  ['emailVerified', false],
  ['tokenVersion', 0],
]
const alwaysFilled = [...DEFAULTS.map(([field]) => field), 'createdAt', 'updatedAt']

/**
 * A user store in the app's own table on PostgreSQL, MySQL, MariaDB or SQLite. Every read is one
 * query and every write one atomic statement, compiled once. A write by a text id is preceded by a
 * read, which checks that the id is spelled exactly as stored.
 *
 * Pass the instance of the pool, not a transaction: a statement that was rolled back is retried
 * only outside one. The first row is compared with the options; rows stay as the driver reads them.
 * @throws ConfigError for invalid options, and from the first read if the table doesn't match them
 * @example
 * const users = kyselyUsers(db, { table: 'accounts', columns: { id: 'account_id' } })
 */
export function kyselyUsers<Row extends object = Record<string, unknown>>(
  instance: KyselyInstance,
  options: KyselyUsersOptions = {},
): UserStore<Row> {
  // biome-ignore lint/suspicious/noExplicitAny: any schema of the app's fits
  const db = instance as unknown as Kysely<any>
  const { table = 'users', generateId } = options
  checkTable(table)
  const dialect = dialectOf(db, options.dialect, 'kyselyUsers')
  const { names, timestamps } = timestampColumns(options.columns)
  const columns = resolveColumns([...CORE_FIELDS, ...MFA_FIELDS], names)
  const optional = new Set(MFA_FIELDS.filter((field) => names[field] === undefined))
  const unique = uniqueFields(Object.keys(columns), options.unique ?? [])
  const fieldOf = new Map(
    Object.entries(columns).map(([field, column]) => [column.toLowerCase(), field]),
  )
  const idColumn = columns.id ?? 'id'
  const plain = encoder(dialect, options)
  const encode = (field: string, value: unknown) =>
    timestamps.has(field) && typeof value === 'boolean'
      ? value
        ? plain(field, new Date())
        : null
      : plain(field, value)
  const prepared = statements(db, dialect, table, idColumn)
  const checkModel = modelCheck(table, columns, timestamps, optional)
  const executor = db.getExecutor()
  /** Types of the ids in rows. They depend on the driver: an int8 may be text, number or bigint. */
  const idTypes = new Set<string>()
  const returnsRows = insertReturns(db, dialect)

  const execute = (
    query: CompiledQuery,
    parameters: readonly unknown[],
  ): Promise<QueryResult<Record<string, unknown>>> => {
    const run = () =>
      executor.executeQuery<Record<string, unknown>>({
        ...(query as CompiledQuery<Record<string, unknown>>),
        parameters,
      })
    return db.isTransaction ? run() : withRetries(dialect, run)
  }

  /** The first row. Undefined as well if the database rejects the value, which no row can have. */
  const first = (query: CompiledQuery, parameters: readonly unknown[]) =>
    execute(query, parameters).then(
      ({ rows }) => rows[0],
      (error) => {
        if (failureOf(dialect, error).kind === 'value') return undefined
        throw error
      },
    )

  const asRow = (row: Record<string, unknown>): Row => {
    checkModel(row)
    idTypes.add(typeof row[idColumn])
    return row as Row
  }

  /** Null for a logical field that the model lacks. */
  const columnOf = (field: string): string | null => {
    const column = columns[field]
    if (column !== undefined) return column
    if (isStandardField(field)) return null
    if (!isIdentifier(field)) throw new UserValueError(field)
    return field
  }

  /** Column to parameter, in the order given. */
  const encoded = (values: UserValues): Map<string, unknown> => {
    const set = new Map<string, unknown>()
    for (const [field, value] of Object.entries(values)) {
      const column = value === undefined ? null : columnOf(field)
      if (column === null) continue
      // The column is given twice: by its own name and by its logical name.
      if (set.has(column)) throw new UserValueError(field)
      set.set(column, encode(field, value))
    }
    return set
  }

  const setUnlessGiven = (set: Map<string, unknown>, field: string, value: unknown) => {
    const column = columns[field]
    if (column !== undefined && !set.has(column)) set.set(column, encode(field, value))
  }

  const valueIn = (set: Map<string, unknown>, field: string): unknown =>
    set.get(columns[field] ?? field)

  const lookUp = (field: string, value: unknown) =>
    first(prepared.selectBy(columns[field] ?? field), [value])

  /** Whether a row has exactly this id: databases convert `'1'`, `'01'` and `'1abc'` to 1. */
  const isStoredId = async (id: UserId): Promise<boolean> => {
    if (!isPossibleId(dialect, id)) return false
    // A number or bigint of the right type has only one spelling.
    if (typeof id !== 'string' && idTypes.has(typeof id)) return true
    const row = await first(prepared.selectId([]), [id])
    if (row) idTypes.add(typeof row[idColumn])
    return row?.[idColumn] === id
  }

  const takenField = async (
    failure: Failure,
    set: Map<string, unknown>,
    id?: UserId,
  ): Promise<string> => {
    const named: string[] = []
    for (const column of failure.columns) {
      const bare = column.toLowerCase().replace(`${table.toLowerCase().replace(/^.*\./, '')}_`, '')
      const field =
        column === 'PRIMARY' ? 'id' : (fieldOf.get(column.toLowerCase()) ?? fieldOf.get(bare))
      if (field !== undefined) named.push(field)
      else if (set.has(column)) named.push(column)
    }
    const told = named.find((field) => unique.includes(field)) ?? named[0]
    if (told !== undefined) return told
    // PostgreSQL rejects every further statement in a failed transaction.
    if (dialect === 'postgres' && db.isTransaction) return 'unknown'
    for (const field of unique) {
      const value = valueIn(set, field)
      const holder = value == null ? undefined : await lookUp(field, value)
      if (holder && holder[idColumn] !== id) return field
    }
    return 'unknown'
  }

  /** The error to throw for a failed write. */
  const failed = async (
    cause: unknown,
    set: Map<string, unknown>,
    id?: UserId,
  ): Promise<unknown> => {
    const failure = failureOf(dialect, cause)
    if (failure.kind === 'duplicate')
      return new DuplicateUserError(await takenField(failure, set, id), { cause })
    if (failure.kind === 'value') return new UserValueError('unknown', { cause })
    if (failure.kind !== 'null') return cause
    // A required column without any value is a mistake in the app, not in the value.
    const empty = [...set.keys()].find(
      (column) => set.get(column) === null && (failure.columns[0] || column) === column,
    )
    return empty === undefined
      ? cause
      : new UserValueError(fieldOf.get(empty.toLowerCase()) ?? empty, { cause })
  }

  const write = async (id: UserId, expected: UserValues, values: UserValues): Promise<boolean> => {
    const set = encoded(values)
    if (set.has(idColumn) && set.get(idColumn) !== id) throw new UserValueError('id')
    set.delete(idColumn)
    setUnlessGiven(set, 'updatedAt', new Date())
    const conditions: Condition[] = []
    const compared: unknown[] = [id]
    for (const [field, value] of Object.entries(expected)) {
      try {
        const column = columnOf(field)
        // A field that the model lacks counts as null in every row.
        if (column === null && value != null) return false
        if (column === null) continue
        if (timestamps.has(field)) {
          // Compare only with null: databases store times with a precision that JavaScript lacks.
          conditions.push({ column, isText: false, isNull: (value ?? false) === false })
          continue
        }
        const parameter = encode(field, value ?? null)
        conditions.push({ column, isText: typeof parameter === 'string' })
        compared.push(parameter)
      } catch {
        return false
      }
    }
    if (!(await isStoredId(id))) return false
    const isAsExpected = async () =>
      (await first(prepared.selectId(conditions), compared)) !== undefined
    if (set.size === 0) return isAsExpected()
    try {
      const { insertId, numAffectedRows } = await execute(
        prepared.update([...set.keys()], conditions),
        [...set.values(), ...compared],
      )
      return Number(numAffectedRows) > 0 || (dialect === 'mysql' && insertId === 1n)
    } catch (error) {
      const { kind } = failureOf(dialect, error)
      // The rejected value may be an expected one, and then no row matches.
      if (kind === 'value' && !db.isTransaction && !(await isAsExpected())) return false
      throw await failed(error, set, id)
    }
  }

  return {
    fields: Object.freeze({ columns, unique, timestamps: Object.freeze([...timestamps]) }),
    async findById(id) {
      if (!isPossibleId(dialect, id)) return null
      const row = await first(prepared.selectBy(idColumn), [id])
      return row && row[idColumn] === id ? asRow(row) : null
    },
    async findBy(field, value) {
      if (!unique.includes(field) || !isPossibleKey(value)) return null
      const column = columns[field] ?? field
      const row = await first(prepared.selectBy(column), [String(value)])
      return row && isSameKey(row[column], value) ? asRow(row) : null
    },
    async create(values) {
      const set = encoded(values)
      for (const [field, value] of DEFAULTS) setUnlessGiven(set, field, value)
      for (const field of ['createdAt', 'updatedAt']) setUnlessGiven(set, field, new Date())
      if (generateId && !set.has(idColumn)) set.set(idColumn, encode('id', generateId()))
      const returns = await returnsRows()
      let insertId: bigint | undefined
      try {
        const result = await execute(prepared.insert([...set.keys()], returns), [...set.values()])
        if (result.rows[0]) return asRow(result.rows[0])
        insertId = result.insertId
      } catch (error) {
        throw await failed(error, set)
      }
      const id = set.get(idColumn) ?? insertId
      const known = id === undefined ? unique.find((field) => valueIn(set, field) != null) : 'id'
      const row = known === undefined ? undefined : await lookUp(known, id ?? valueIn(set, known))
      if (!row)
        throw new ConfigError(
          'Cannot find the row that was just inserted; set "generateId" of kyselyUsers',
        )
      return asRow(row)
    },
    verifySchema(needs) {
      for (const field of needs.written) optional.delete(field)
      // A failed statement would abort the transaction of the app.
      return db.isTransaction
        ? Promise.resolve([])
        : compareSchema(db, dialect, needs, {
            ...{ table, columns, unique, timestamps, optional, idColumn },
            filled: [...alwaysFilled, ...(generateId ? ['id'] : [])],
          })
    },
    update: async (id, values) => write(id, {}, values),
    compareAndSet: async (id, expected, values) => write(id, expected, values),
  }
}
