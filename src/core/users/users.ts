import { LRUCache } from 'lru-cache'
import { sha256 } from '../../crypto/digest.js'
import { ConfigError, DuplicateUserError, ForbiddenError, UserValueError } from '../../errors.js'
import { createDeadline, within } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { RegisteredUser } from '../../ports/fastify.js'
import {
  CREDENTIAL_FIELDS,
  type UserId,
  type UserStore,
  type UserValues,
} from '../../ports/user-store.js'
import { containsSalt, hashPrefixOf, saltOf, unusablePrefix } from './salt.js'

const maxKnownEpochs = 10_000

export type Row = RegisteredUser

/** The app's users as the services see them: logical names, bounded waits, no driver errors. */
export interface Users {
  /** The app's store with the same bounds: what hand-written routes and transports are given. */
  readonly store: UserStore<Row>
  /** Whether the model has the logical field. */
  has(field: string): boolean
  read(row: Row, field: string): unknown
  idOf(row: Row): UserId
  /** The stored hash, or null if absent. */
  hashOf(row: Row): string | null
  /** `token_version`; 0 where the model has none. */
  versionOf(row: Row): number
  /**
   * The credential epoch: changes with the password and with `token_version`, and differs between an account and a later
   * one of the same id, but not when a hash is replaced for the same password. What was established under another epoch
   * has ended.
   */
  epochOf(row: Row): string
  /**
   * What the row's hash begins with where its salt is known by that, else null. For the same `token_version`, any row whose
   * hash begins so (`hasHashPrefix`) has the same epoch.
   */
  hashPrefixOf(row: Row): string | null
  hasHashPrefix(row: Row, head: string): boolean
  /** Salt for a new hash of the same password. Only for a row that has a hash. */
  saltOf(row: Row): string
  /**
   * What a row was before an update, as `expected` of a compare-and-set: its hash, and its `token_version` and `is_active` if it
   * has them. What is written for an account that was disabled meanwhile is not written.
   */
  credentialOf(row: Row): UserValues
  /** The row with other values, by logical names. */
  changed(row: Row, values: UserValues): Row
  /** A boolean field; `fallback` where the model lacks it. NULL is false. */
  flagOf(row: Row, field: string, fallback: boolean): boolean
  isActive(row: Row): boolean
  /** The row without its credential columns, the same object each time: what apps are shown. */
  publicView(row: Row): Row
  /** The row behind a view; anything else is returned as it is. */
  rowBehind(shown: Row): Row
  /**
   * The row behind what an app hands back: a view of it, a copy of one, or the row itself.
   * @throws ForbiddenError for a copy of a user that is gone
   */
  wholeRow(shown: Row): Promise<Row>
  findById(id: UserId): Promise<Row | null>
  findBy(field: string, value: unknown): Promise<Row | null>
  /** @throws DuplicateUserError, UserValueError */
  create(values: UserValues): Promise<Row>
  compareAndSet(id: UserId, expected: UserValues, values: UserValues): Promise<boolean>
}

/** What databases return for a boolean: true, 1, 1n, 't', a BIT(1) buffer. */
function isTrue(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value === 1
  if (typeof value === 'string') return value === '1' || value === 't' || value === 'true'
  if (Buffer.isBuffer(value)) return value.length === 1 && value[0] === 1
  return value === 1n
}

function refuseAnswer(verb: string): never {
  throw unavailableError(new TypeError(`The user store's ${verb} returned an invalid value`))
}

/** Two users' ids may have become one number. */
function refuseRoundedId(): never {
  throw unavailableError(
    new ConfigError(
      'A user id is a number that JavaScript cannot represent exactly; configure the driver to return it as text (mysql2: supportBigNumbers and bigNumberStrings; pg: its default for int8) or as bigint',
    ),
  )
}

/** A time as its database gives it; of a Date every millisecond, in no time zone. */
const timeText = (time: unknown): string =>
  time instanceof Date ? String(time.getTime()) : String(time ?? '')

/**
 * @param milliseconds how long the store may take before the request gets its 503
 * @param lineageKey see `saltOf`
 */
export function createUsers(
  store: UserStore<Row>,
  milliseconds: number,
  lineageKey: Buffer,
): Users {
  const { columns } = store.fields
  const timestamps = new Set(store.fields.timestamps)
  const column = new Map(Object.entries(columns))
  // Read of each row of each request, so not looked up each time.
  const idName = column.get('id') ?? 'id'
  const hashName = column.get('hashedPassword')
  const versionName = column.get('tokenVersion')
  const cellOf = (row: Row, name: string | undefined): unknown =>
    name === undefined ? undefined : (row as Record<string, unknown>)[name]

  const deadline = createDeadline(milliseconds)

  const failure = (cause: unknown) =>
    cause instanceof DuplicateUserError || cause instanceof UserValueError
      ? cause
      : unavailableError(cause)
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    within(deadline, call, 'The user store', failure)

  // A store that answers nonsense is as good as none: what is no row must not become somebody, nor an error of ours.
  const rowOf = (verb: string, row: unknown): Row => {
    const id =
      typeof row === 'object' && row !== null ? (row as Record<string, unknown>)[idName] : undefined
    if (typeof id === 'number' && !Number.isSafeInteger(id)) return refuseRoundedId()
    return typeof id === 'string' || typeof id === 'number' || typeof id === 'bigint'
      ? (row as Row)
      : refuseAnswer(verb)
  }
  const rowOrNull = (verb: string, row: unknown) =>
    row === null || row === undefined ? null : rowOf(verb, row)
  const owned = (id: UserId, found: unknown): Row | null => {
    const row = rowOrNull('findById', found)
    return row && users.idOf(row) === id ? row : null
  }
  const flag = (verb: string, done: unknown) =>
    typeof done === 'boolean' ? done : refuseAnswer(verb)

  const guarded: UserStore<Row> = {
    fields: store.fields,
    findById: async (id) => owned(id, await bounded(() => store.findById(id))),
    findBy: async (field, value) =>
      rowOrNull('findBy', await bounded(() => store.findBy(field, value))),
    create: async (values) => rowOf('create', await bounded(() => store.create(values))),
    update: async (id, values) => flag('update', await bounded(() => store.update(id, values))),
    compareAndSet: async (id, expected, values) =>
      flag('compareAndSet', await bounded(() => store.compareAndSet(id, expected, values))),
  }

  // Every authenticated request asks for its user's epoch, which hardly ever changes. What is kept are salts, no hashes.
  const epochs = new LRUCache<string, { readonly version: number; readonly epoch: string }>({
    // By size, so that it grows with its users: `max` allocates every entry at registration.
    maxSize: maxKnownEpochs,
    sizeCalculation: () => 1,
  })

  const credentialColumns = CREDENTIAL_FIELDS.flatMap((field) => [
    column.get(field) ?? field,
    // The table may have the column even if the model doesn't map it.
    field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  ])
  const views = new WeakMap<object, Row>()
  const rows = new WeakMap<object, Row>()

  const users: Users = {
    store: guarded,
    has: (field) => column.has(field),
    read: (row, field) => cellOf(row, column.get(field)),
    idOf: (row) => cellOf(row, idName) as UserId,
    hashOf(row) {
      const hash = cellOf(row, hashName)
      return typeof hash === 'string' && hash !== '' ? hash : null
    },
    versionOf: (row) => Number(cellOf(row, versionName) ?? 0),
    epochOf(row) {
      const hash = users.hashOf(row)
      const version = users.versionOf(row)
      const head = hash === null ? null : hashPrefixOf(hash)
      const known = head === null ? undefined : epochs.get(head)
      if (known?.version === version) return known.epoch
      // Without any hash the time of creation has to tell the account from a later one of the same id. An unusable one is
      // random, and no rotation of secrets changes it.
      const credential =
        hash === null
          ? timeText(users.read(row, 'createdAt'))
          : hash.startsWith(unusablePrefix)
            ? hash
            : users.saltOf(row)
      const epoch = sha256(`${version} ${credential}`).slice(0, 22)
      if (head !== null && (head === hash || containsSalt(head)))
        epochs.set(head, { version, epoch })
      return epoch
    },
    hashPrefixOf(row) {
      const hash = users.hashOf(row)
      const head = hash === null ? null : hashPrefixOf(hash)
      return head !== null && containsSalt(head) ? head : null
    },
    hasHashPrefix(row, head) {
      const hash = cellOf(row, hashName)
      return typeof hash === 'string' && hash.startsWith(head)
    },
    saltOf: (row) => saltOf(users.hashOf(row) ?? '', users.idOf(row), lineageKey),
    credentialOf: (row) => ({
      hashedPassword: users.read(row, 'hashedPassword') ?? null,
      ...(users.has('tokenVersion') && { tokenVersion: users.read(row, 'tokenVersion') ?? null }),
      ...(users.has('isActive') && { isActive: users.read(row, 'isActive') ?? null }),
    }),
    changed(row, values) {
      const copy: Record<string, unknown> = { ...(row as Record<string, unknown>) }
      for (const [field, value] of Object.entries(values)) copy[column.get(field) ?? field] = value
      return copy as Row
    },
    flagOf(row, field, fallback) {
      const name = column.get(field)
      if (name === undefined) return fallback
      const value = cellOf(row, name)
      if (!timestamps.has(field)) return isTrue(value)
      return value !== null && value !== undefined && value !== false
    },
    isActive: (row) => users.flagOf(row, 'isActive', true),
    publicView(row) {
      const known = views.get(row)
      if (known) return known
      const view: Record<string, unknown> = { ...(row as Record<string, unknown>) }
      for (const name of credentialColumns) delete view[name]
      views.set(row, view as Row)
      rows.set(view, row)
      return view as Row
    },
    rowBehind: (shown) =>
      (typeof shown === 'object' && shown !== null ? rows.get(shown) : undefined) ?? shown,
    async wholeRow(shown) {
      const row = users.rowBehind(shown)
      if (typeof row !== 'object' || row === null) return row
      const isWhole = hashName === undefined || Object.hasOwn(row, hashName)
      const id = users.idOf(row)
      if (isWhole || id === undefined) return row
      const found = await users.findById(id)
      if (!found) throw new ForbiddenError()
      return found
    },
    findById: guarded.findById,
    findBy: guarded.findBy,
    create: guarded.create,
    compareAndSet: guarded.compareAndSet,
  }
  return users
}
