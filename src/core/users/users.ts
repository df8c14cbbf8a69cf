import { LRUCache } from 'lru-cache'
import { sha256 } from '../../crypto/digest.js'
import { ConfigError, DuplicateUserError, ForbiddenError, UserValueError } from '../../errors.js'
import { createDeadline, withDeadline } from '../../lib/deadline.js'
import { unavailableError } from '../../lib/unavailable.js'
import type { RegisteredUser } from '../../ports/fastify.js'
import {
  CREDENTIAL_FIELDS,
  type UserId,
  type UserStore,
  type UserValues,
} from '../../ports/user-store.js'
import { containsSalt, hashPrefixOf, saltOf, unusablePrefix } from './salt.js'
import { decodeUserId, encodeUserId } from './user-id.js'

const maxKnownEpochs = 10_000

export type Row = RegisteredUser

/** The app's users as services see them: logical names, time limits, no driver errors. */
export interface Users {
  /**
   * The app's store with the same time limits and errors, for hand-written routes and transports.
   */
  readonly store: UserStore<Row>
  /** Whether the model has the logical field. */
  has(field: string): boolean
  read(row: Row, field: string): unknown
  idOf(row: Row): UserId
  /** The stored hash, or null if absent. */
  hashOf(row: Row): string | null
  /** `token_version`; 0 if the model has none. */
  versionOf(row: Row): number
  /**
   * The credential epoch. It changes with the password and with `token_version`, but not with a
   * rehash of the same password. It also differs between an account and a later one with the same
   * id. Sessions and tokens with another epoch have ended.
   */
  epochOf(row: Row): string
  /**
   * Identifies the account, whatever becomes of its credential and its addresses: the id and the
   * creation time, as text. A later account with the same id has another reference, if the model
   * has `createdAt`.
   */
  referenceOf(row: Row): string
  /** The account behind a reference. Null if it was deleted, even if its id was reused. */
  findReferenced(reference: string): Promise<Row | null>
  /**
   * The prefix of the row's hash if it includes the salt, otherwise null. Rows with the same
   * `token_version` whose hashes have this prefix (`hasHashPrefix`) have the same epoch.
   */
  hashPrefixOf(row: Row): string | null
  hasHashPrefix(row: Row, head: string): boolean
  /** Salt for a new hash of the same password. Only for a row that has a hash. */
  saltOf(row: Row): string
  /**
   * The `expected` values of a compare-and-set of this row: its hash, and `token_version` and
   * `is_active` if it has them. Nothing is written if the account was disabled in the meantime.
   */
  credentialOf(row: Row): UserValues
  /** A copy of the row with other values, by logical names. */
  changed(row: Row, values: UserValues): Row
  /** A boolean field; `fallback` if the model lacks it. NULL is false. */
  flagOf(row: Row, field: string, fallback: boolean): boolean
  isActive(row: Row): boolean
  /** The row without its credential columns, as apps see it. The same object each time. */
  publicView(row: Row): Row
  /** The row behind a view; any other value is returned unchanged. */
  rowBehind(viewOrRow: Row): Row
  /**
   * The whole row of what an app passes in: a view, a copy of one, or the row itself.
   * @throws ForbiddenError for a copy of a user that no longer exists
   */
  wholeRow(shown: Row): Promise<Row>
  /**
   * The present row of a user that an app passes in, which may be old or only a part of the row.
   * @throws ForbiddenError for a user that no longer exists
   */
  presentRow(shown: Row): Promise<Row>
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

/** Rounding may have turned the ids of two users into the same number. */
function refuseRoundedId(): never {
  throw unavailableError(
    new ConfigError(
      'A user id is a number that JavaScript cannot represent exactly; configure the driver to return it as text (mysql2: supportBigNumbers and bigNumberStrings; pg: its default for int8) or as bigint',
    ),
  )
}

/**
 * A time as text: the milliseconds of a Date, independent of the time zone, or the database's own
 * format.
 */
const timeText = (time: unknown): string =>
  time instanceof Date ? String(time.getTime()) : String(time ?? '')

/**
 * @param milliseconds time limit of a store call, after which the request fails with 503
 * @param saltKey see `saltOf`
 */
export function createUsers(store: UserStore<Row>, milliseconds: number, saltKey: Buffer): Users {
  const { columns } = store.fields
  const timestamps = new Set(store.fields.timestamps)
  const column = new Map(Object.entries(columns))
  // Every request reads these columns of its row, so their names are looked up once.
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
    withDeadline(deadline, call, 'The user store', failure)

  // An invalid result counts as an outage. It must not authenticate a user, or cause an error of
  // the plugin.
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

  // Every authenticated request needs its user's epoch, which rarely changes. The cache holds
  // salts, no password digests.
  const epochs = new LRUCache<string, { readonly version: number; readonly epoch: string }>({
    // `maxSize` lets the cache grow with its users: `max` allocates every entry at registration.
    maxSize: maxKnownEpochs,
    sizeCalculation: () => 1,
  })

  const credentialColumns = CREDENTIAL_FIELDS.flatMap((field) => [
    column.get(field) ?? field,
    // The table may have the column even if the model doesn't map it.
    field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    field,
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
      // Without a hash, the creation time distinguishes the account from a later one with the same
      // id. An unusable hash is random and used as it is, so rotating secrets keeps the epoch.
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
    referenceOf: (row) =>
      JSON.stringify([encodeUserId(users.idOf(row)), timeText(users.read(row, 'createdAt'))]),
    async findReferenced(reference) {
      const id = decodeUserId((JSON.parse(reference) as [string])[0])
      const row = id === null ? null : await users.findById(id)
      return row && users.referenceOf(row) === reference ? row : null
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
    saltOf: (row) => saltOf(users.hashOf(row) ?? '', users.idOf(row), saltKey),
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
      return isWhole ? row : users.presentRow(row)
    },
    async presentRow(shown) {
      const row = users.rowBehind(shown)
      const id = typeof row === 'object' && row !== null ? users.idOf(row) : undefined
      if (id === undefined) return row
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
