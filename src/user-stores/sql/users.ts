import { ConfigError, UserValueError } from '../../errors.js'
import type { UserFields, UserId, UserStore, UserValues } from '../../ports/user-store.js'
import { isIdentifier } from '../../sql/names.js'
import { type Condition, retrying, type Table, type TableRow } from '../../sql/table.js'
import { isPossibleId, isPossibleKey, isSameKey } from '../../sql/values.js'
import { isStandardField } from '../fields.js'
import { compareSchema } from './compare-schema.js'
import { modelCheck } from './model-check.js'
import { writeErrors } from './write-errors.js'

/** What the options of a store say about its table. */
interface UserModel {
  readonly columns: Readonly<Record<string, string>>
  readonly unique: readonly string[]
  readonly timestamps: ReadonlySet<string>
  /** Fields whose columns only some options need. */
  readonly optional: Set<string>
  /** Columns that exist, where the query builder knows them. */
  readonly writable?: readonly string[]
  readonly generateId?: (() => UserId) | undefined
  /** Name of the option that maps the columns, for messages. */
  readonly option?: string
}

const DEFAULTS: readonly [string, unknown][] = [
  ['isActive', true],
  ['isSuperuser', false],
  ['emailVerified', false],
  ['tokenVersion', 0],
]
const alwaysFilled = [...DEFAULTS.map(([field]) => field), 'createdAt', 'updatedAt']

/**
 * A user store over a table. Every read is one query, every write one atomic statement. A write by
 * a text id is preceded by a read, which checks that the id is spelled exactly as stored.
 */
export function usersOver<Row extends object>(given: Table, model: UserModel): UserStore<Row> {
  const table = retrying(given)
  const { dialect } = table
  const { columns, unique, timestamps, optional, writable, generateId, option = 'columns' } = model
  const known = writable && new Set(writable)
  const idColumn = columns.id ?? 'id'
  const checkModel = modelCheck(table.name, columns, timestamps, optional, option)
  /** Types of the ids in rows. They depend on the driver: an int8 may be text, number or bigint. */
  const idTypes = new Set<string>()

  /** Null for a logical field that the model lacks. */
  const columnOf = (field: string): string | null => {
    const column = columns[field]
    if (column !== undefined) return column
    if (isStandardField(field)) return null
    if (!isIdentifier(field) || known?.has(field) === false) throw new UserValueError(field)
    return field
  }

  const encode = (column: string, field: string, value: unknown): unknown => {
    if (!timestamps.has(field) || typeof value !== 'boolean')
      return table.encode(column, value, field)
    return value ? table.encode(column, new Date(), field) : null
  }

  /** Column to encoded value, in the order given. */
  const encoded = (values: UserValues): Map<string, unknown> => {
    const set = new Map<string, unknown>()
    for (const [field, value] of Object.entries(values)) {
      const column = value === undefined ? null : columnOf(field)
      if (column === null) continue
      // The column is given twice: by its own name and by its logical name.
      if (set.has(column)) throw new UserValueError(field)
      set.set(column, encode(column, field, value))
    }
    return set
  }

  const setUnlessGiven = (set: Map<string, unknown>, field: string, value: unknown) => {
    const column = columns[field]
    if (column !== undefined && !set.has(column)) set.set(column, encode(column, field, value))
  }

  const asRow = (row: TableRow): Row => {
    checkModel(row)
    idTypes.add(typeof row[idColumn])
    return row as Row
  }

  /** The row, or undefined if the database rejects a value, which no row can have. */
  const first = (where: readonly Condition[], keyOnly?: boolean): Promise<TableRow | undefined> =>
    table.findOne(where, keyOnly).catch((error) => {
      if (table.failureOf(error).kind === 'value') return undefined
      throw error
    })

  const lookUp = (column: string, value: unknown, keyOnly?: boolean) =>
    first([{ column, is: 'equal', value }], keyOnly)

  /** The id as the table compares it; undefined if no row can have it. */
  const keyOf = (id: unknown): unknown => {
    if (!isPossibleId(dialect, id)) return undefined
    try {
      return table.encode(idColumn, id, 'id')
    } catch {
      return undefined
    }
  }

  /** Whether a row has exactly this id: databases convert `'1'`, `'01'` and `'1abc'` to 1. */
  const isStoredId = async (id: UserId, key: unknown): Promise<boolean> => {
    // A number or bigint of the right type has only one spelling.
    if (typeof id !== 'string' && idTypes.has(typeof id)) return true
    const row = await lookUp(idColumn, key, true)
    if (row) idTypes.add(typeof row[idColumn])
    return row?.[idColumn] === id
  }

  /** The conditions for the expected values. Undefined if no row can meet them. */
  const conditionsOf = (expected: UserValues): Condition[] | undefined => {
    const where: Condition[] = []
    for (const [field, value] of Object.entries(expected)) {
      try {
        const column = columnOf(field)
        // A field that the model lacks counts as null in every row.
        if (column === null && value != null) return undefined
        if (column === null) continue
        // Compared with null only: databases store times with a precision that JavaScript lacks.
        if (timestamps.has(field))
          where.push({ column, is: (value ?? false) === false ? 'null' : 'present' })
        else where.push({ column, is: 'same', value: encode(column, field, value ?? null) })
      } catch {
        return undefined
      }
    }
    return where
  }

  const errorOf = writeErrors(table, { columns, unique, idColumn }, lookUp)

  const write = async (id: UserId, expected: UserValues, values: UserValues): Promise<boolean> => {
    const set = encoded(values)
    const key = keyOf(id)
    if (set.has(idColumn) && set.get(idColumn) !== key) throw new UserValueError('id')
    set.delete(idColumn)
    setUnlessGiven(set, 'updatedAt', new Date())
    const conditions = conditionsOf(expected)
    if (key === undefined || !conditions || !(await isStoredId(id, key))) return false
    const where: Condition[] = [{ column: idColumn, is: 'equal', value: key }, ...conditions]
    const isAsExpected = async () => (await first(where, true)) !== undefined
    if (set.size === 0) return isAsExpected()
    try {
      return await table.update(set, where)
    } catch (error) {
      const { kind } = table.failureOf(error)
      // The rejected value may be an expected one, and then no row matches.
      if (kind === 'value' && !table.isTransaction && !(await isAsExpected())) return false
      throw await errorOf(error, set, id)
    }
  }

  /** The row that was inserted, where the database didn't return it. */
  const insertedRow = async (set: ReadonlyMap<string, unknown>, made: unknown): Promise<Row> => {
    const id = set.get(idColumn) ?? made
    const column =
      id === undefined
        ? unique.map((field) => columns[field] ?? field).find((name) => set.get(name) != null)
        : idColumn
    const row = column === undefined ? undefined : await lookUp(column, id ?? set.get(column))
    if (!row) throw new ConfigError('Cannot find the row that was just inserted; set "generateId"')
    return asRow(row)
  }

  const fields: UserFields = {
    columns,
    unique,
    timestamps: Object.freeze([...timestamps]),
    ...(writable && { writable: Object.freeze([...writable]) }),
  }
  return {
    fields: Object.freeze(fields),
    async findById(id) {
      const key = keyOf(id)
      const row = key === undefined ? undefined : await lookUp(idColumn, key)
      return row && row[idColumn] === id ? asRow(row) : null
    },
    async findBy(field, value) {
      if (!unique.includes(field) || !isPossibleKey(value)) return null
      const column = columns[field] ?? field
      let key: unknown
      try {
        key = table.encode(column, String(value), field)
      } catch {
        return null
      }
      const row = await lookUp(column, key)
      return row && isSameKey(row[column], value) ? asRow(row) : null
    },
    async create(values) {
      const set = encoded(values)
      for (const [field, value] of DEFAULTS) setUnlessGiven(set, field, value)
      for (const field of ['createdAt', 'updatedAt']) setUnlessGiven(set, field, new Date())
      if (generateId && !set.has(idColumn)) set.set(idColumn, encode(idColumn, 'id', generateId()))
      let inserted: Awaited<ReturnType<Table['insert']>>
      try {
        inserted = await table.insert(set)
      } catch (error) {
        throw await errorOf(error, set)
      }
      return inserted.row ? asRow(inserted.row) : insertedRow(set, inserted.id)
    },
    verifySchema(needs) {
      for (const field of needs.written) optional.delete(field)
      // A failed statement would abort the transaction of the app.
      return table.isTransaction
        ? Promise.resolve([])
        : compareSchema(table, needs, {
            ...{ option, columns, unique, timestamps, optional, idColumn },
            filled: [...alwaysFilled, ...(generateId ? ['id'] : [])],
            made: (writable ?? []).filter((column) => table.makes?.(column)),
          })
    },
    update: async (id, values) => write(id, {}, values),
    compareAndSet: async (id, expected, values) => write(id, expected, values),
  }
}
