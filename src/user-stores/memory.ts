import { isDeepStrictEqual } from 'node:util'
import { ConfigError, DuplicateUserError, UserValueError } from '../errors.js'
import {
  PROVIDER_ID_FIELDS,
  type UserFields,
  type UserId,
  type UserStore,
  type UserValues,
} from '../ports/user-store.js'
import {
  checkField,
  isIdentifier,
  isProviderIdField,
  isStandardField,
  STANDARD_FIELDS,
  uniqueFields,
} from './fields.js'
import { isStorableText } from './storable-text.js'

export interface MemoryUsersOptions {
  /**
   * Every field of the model, the app's own included; `id` always exists. Nothing else is accepted then. Default: all
   * standard fields, and whatever else the app writes.
   */
  fields?: readonly string[]
  /**
   * Further fields whose values are unique. Default: every `<provider>Id` in `fields`, so name these (or an empty list)
   * where a field like `tenantId` is no provider's. Login fields, the recovery factor and the ids of the shipped
   * providers are unique whatever stands here.
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
 * Users in this process: for tests, trials and examples. Ids are integers from 1, columns bear the logical names, rows
 * are copies. No method awaits anything, so each is atomic.
 * @throws ConfigError on a field that cannot be a name
 * @example
 * const users = memoryUsers({ fields: ['plan'] })
 */
export function memoryUsers(options: MemoryUsersOptions = {}): UserStore {
  const { model, closed } = modelOf(options)
  const names = Object.keys(model.columns)
  const rows = new Map<UserId, Row>()
  const taken = new Map(model.unique.map((field) => [field, new Map<unknown, UserId>()]))
  let nextId = 1

  /** The given values under the names that the model has. */
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
      const held = Object.hasOwn(row, name) ? row[name] : null
      if (!isDeepStrictEqual(held ?? null, value ?? null)) return false
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
