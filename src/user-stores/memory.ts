import { isDeepStrictEqual } from 'node:util'
import { ConfigError, DuplicateUserError, UserValueError } from '../errors.js'
import {
  PROVIDER_ID_FIELDS,
  type UserFields,
  type UserId,
  type UserStore,
  type UserValues,
} from '../ports/user-store.js'
import { checkField, isIdentifier } from '../sql/names.js'
import { isStorableText } from '../sql/storable-text.js'
import { isProviderIdField, isStandardField, STANDARD_FIELDS, uniqueFields } from './fields.js'

/** Options of `memoryUsers()`. */
export interface MemoryUsersOptions {
  /**
   * All fields of the model, including those of the app. `id` always exists. Other fields are then
   * refused. Default: all standard fields, and any other field that the app writes.
   */
  fields?: readonly string[]
  /**
   * Further unique fields. Default: every `<provider>Id` in `fields`. Set it, even to an empty
   * list, if a field such as `tenantId` doesn't belong to a provider. Login fields, the recovery
   * field and the ids at built-in providers are always unique.
   */
  unique?: readonly string[]
}

type Row = Record<string, unknown>

const DEFAULTS: readonly [string, unknown][] = [
  ['isActive', true],
  ['isSuperuser', false],
  ['emailVerified', false],
  ['tokenVersion', 0],
]

const copyOf = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  return value instanceof Date ? new Date(value) : structuredClone(value)
}

const copy = (row: Row): Row => {
  const copied: Row = { ...row }
  for (const name in copied) {
    const value = copied[name]
    if (typeof value === 'object' && value !== null) copied[name] = copyOf(value)
  }
  return copied
}

function modelOf({ fields, unique }: MemoryUsersOptions): { model: UserFields; closed: boolean } {
  if (fields !== undefined && !Array.isArray(fields))
    throw new ConfigError('"fields" must be a list of logical names')
  if (unique !== undefined && !Array.isArray(unique))
    throw new ConfigError('"unique" must be a list of logical names')
  for (const field of fields ?? []) checkField('fields', field)
  for (const field of unique ?? []) checkField('unique', field)
  const names = [...new Set(['id', ...(fields ?? [...STANDARD_FIELDS, ...(unique ?? [])])])]
  const unknown = unique?.find((field) => !names.includes(field))
  if (unknown !== undefined)
    throw new ConfigError(`"unique" names "${unknown}", which is not in "fields"; add it there`)
  const isProvider = unique
    ? (field: string) => PROVIDER_ID_FIELDS.includes(field)
    : isProviderIdField
  const columns: Record<string, string> = Object.create(null)
  for (const name of names) columns[name] = name
  return {
    closed: fields !== undefined,
    model: Object.freeze({
      columns: Object.freeze(columns),
      unique: uniqueFields(names, unique ?? [], isProvider),
      ...(fields && { writable: Object.freeze(names.filter((name) => name !== 'id')) }),
    }),
  }
}

/**
 * A user store in the memory of this process, for tests, prototypes and examples. Ids are integers
 * from 1, columns have the logical names, and rows are copies. No method awaits anything, so each
 * is atomic.
 * @throws ConfigError for an invalid field
 * @example
 * const users = memoryUsers({ fields: ['plan'] })
 */
export function memoryUsers(options: MemoryUsersOptions = {}): UserStore {
  const { model, closed } = modelOf(options)
  const names = Object.keys(model.columns)
  const rows = new Map<UserId, Row>()
  const taken = new Map(model.unique.map((field) => [field, new Map<unknown, UserId>()]))
  let nextId = 1

  /** Copies of the values to write. Ignores standard fields that the model lacks. */
  const accepted = (values: UserValues): Row => {
    const set: Row = {}
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) continue
      if (!(name in model.columns)) {
        if (isStandardField(name)) continue
        if (closed || !isIdentifier(name)) throw new UserValueError(name)
      }
      const isKey =
        typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
      const unstorable =
        typeof value === 'function' || typeof value === 'symbol' || Number.isNaN(value)
      if (unstorable || (typeof value === 'string' && !isStorableText(value)))
        throw new UserValueError(name)
      if (value !== null && !isKey && (name === 'id' || taken.has(name)))
        throw new UserValueError(name)
      set[name] = copyOf(value)
    }
    return set
  }

  const refuseTaken = (set: Row, id?: UserId) => {
    for (const [field, owners] of taken) {
      const owner = set[field] == null ? undefined : owners.get(set[field])
      if (owner !== undefined && owner !== id) throw new DuplicateUserError(field)
    }
  }

  const write = (id: UserId, row: Row, set: Row) => {
    for (const [field, owners] of taken) {
      if (!(field in set)) continue
      if (row[field] != null) owners.delete(row[field])
      if (set[field] != null) owners.set(set[field], id)
    }
    Object.assign(row, set)
  }

  const change = (id: UserId, values: UserValues, expected: UserValues): boolean => {
    const row = rows.get(id)
    if (!row) return false
    for (const [name, value] of Object.entries(expected)) {
      const stored = Object.hasOwn(row, name) ? row[name] : null
      if (!isDeepStrictEqual(stored ?? null, value ?? null)) return false
    }
    const set = accepted(values)
    if ('id' in set && set.id !== id) throw new UserValueError('id')
    refuseTaken(set, id)
    if ('updatedAt' in model.columns) set.updatedAt ??= new Date()
    write(id, row, set)
    return true
  }

  return {
    fields: model,
    async findById(id) {
      const row = rows.get(id)
      return row ? copy(row) : null
    },
    async findBy(field, value) {
      const id = taken.get(field)?.get(value)
      const row = id === undefined ? undefined : rows.get(id)
      return row ? copy(row) : null
    },
    async create(values) {
      const row: Row = {}
      for (const name of names) row[name] = null
      for (const [name, value] of DEFAULTS) if (name in model.columns) row[name] = value
      const set = accepted(values)
      refuseTaken(set)
      const now = new Date()
      for (const name of ['createdAt', 'updatedAt'])
        if (name in model.columns) set[name] ??= new Date(now)
      const id = (set.id ?? nextId) as UserId
      if (rows.has(id)) throw new DuplicateUserError('id')
      set.id = id
      if (typeof id === 'number' && id >= nextId) nextId = Math.floor(id) + 1
      write(id, row, set)
      rows.set(id, row)
      return copy(row)
    },
    async update(id, values) {
      return change(id, values, {})
    },
    async compareAndSet(id, expected, values) {
      return change(id, values, expected)
    },
  }
}
