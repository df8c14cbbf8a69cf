import { sha256 } from '../crypto/digest.js'
import { createDeadline, within } from '../deadline.js'
import { DuplicateUserError, UserValueError } from '../errors.js'
import type { RegisteredUser } from '../fastify.js'
import type { UserId, UserStore, UserValues } from '../ports/user-store.js'
import { unavailable } from '../retry.js'
import { saltOf } from './lineage.js'
import { encodeUserId } from './user-id.js'

export type Row = RegisteredUser

/** The app's users as the services see them: logical names, bounded waits, no driver errors. */
export interface Users {
  /** The app's store with the same bounds: what hand-written routes and transports are given. */
  readonly store: UserStore<Row>
  /** Whether the model has the logical field. */
  has(field: string): boolean
  read(row: Row, field: string): unknown
  idOf(row: Row): UserId
  /** The stored hash, or null where there is none. */
  hashOf(row: Row): string | null
  /** `token_version`; 0 where the model has none. */
  versionOf(row: Row): number
  /**
   * The credential epoch: changes with the password and with `token_version`, and differs between an account and a later
   * one of the same id, but not when a hash is replaced for the same password. What was established under another epoch
   * has ended.
   */
  epochOf(row: Row): string
  /** Salt for a new hash of the same password. Only for a row that has a hash. */
  saltOf(row: Row): string
  /** What a row was before an update, as `expected` of a compare-and-set: its hash, and its `token_version` if it has one. */
  credentialOf(row: Row): UserValues
  /** The row with other values, by logical names. */
  changed(row: Row, values: UserValues): Row
  /** A boolean field; `fallback` where the model lacks it. NULL is false. */
  flagOf(row: Row, field: string, fallback: boolean): boolean
  isActive(row: Row): boolean
  findById(id: UserId): Promise<Row | null>
  findBy(field: string, value: unknown): Promise<Row | null>
  /** @throws DuplicateUserError, UserValueError */
  create(values: UserValues): Promise<Row>
  compareAndSet(id: UserId, expected: UserValues, values: UserValues): Promise<boolean>
}

/** What databases return for a boolean: true, 1, 1n, 't', a BIT(1) buffer. */
function isTrue(value: unknown): boolean {
  if (typeof value === 'string') return value === '1' || value === 't' || value === 'true'
  if (Buffer.isBuffer(value)) return value.length === 1 && value[0] === 1
  return value === true || value === 1 || value === 1n
}

/** @param milliseconds how long the store may take before the request gets its 503 */
export function createUsers(store: UserStore<Row>, milliseconds: number): Users {
  const { columns } = store.fields
  const column = new Map(Object.entries(columns))

  const deadline = createDeadline(milliseconds)

  const failure = (cause: unknown) =>
    cause instanceof DuplicateUserError || cause instanceof UserValueError ? cause : unavailable(cause)
  const bounded = <T>(call: () => Promise<T>): Promise<T> => within(deadline, call, 'The user store', failure)

  const guarded: UserStore<Row> = {
    fields: store.fields,
    findById: (id) => bounded(() => store.findById(id)),
    findBy: (field, value) => bounded(() => store.findBy(field, value)),
    create: (values) => bounded(() => store.create(values)),
    update: (id, values) => bounded(() => store.update(id, values)),
    compareAndSet: (id, expected, values) => bounded(() => store.compareAndSet(id, expected, values)),
  }

  const users: Users = {
    store: guarded,
    has: (field) => column.has(field),
    read(row, field) {
      const name = column.get(field)
      return name === undefined ? undefined : (row as Record<string, unknown>)[name]
    },
    idOf: (row) => users.read(row, 'id') as UserId,
    hashOf(row) {
      const hash = users.read(row, 'hashedPassword')
      return typeof hash === 'string' && hash !== '' ? hash : null
    },
    versionOf: (row) => Number(users.read(row, 'tokenVersion') ?? 0),
    epochOf(row) {
      // Without any hash the time of creation has to tell the account from a later one of the same id.
      const credential = users.hashOf(row) === null ? String(users.read(row, 'createdAt') ?? '') : users.saltOf(row)
      return sha256(`${users.versionOf(row)} ${credential}`).slice(0, 22)
    },
    saltOf: (row) => saltOf(users.hashOf(row) ?? '', encodeUserId(users.idOf(row))),
    credentialOf: (row) => ({
      hashedPassword: users.read(row, 'hashedPassword') ?? null,
      ...(users.has('tokenVersion') && { tokenVersion: users.read(row, 'tokenVersion') ?? null }),
    }),
    changed(row, values) {
      const copy: Record<string, unknown> = { ...(row as Record<string, unknown>) }
      for (const [field, value] of Object.entries(values)) copy[column.get(field) ?? field] = value
      return copy as Row
    },
    flagOf: (row, field, fallback) => (column.has(field) ? isTrue(users.read(row, field)) : fallback),
    isActive: (row) => users.flagOf(row, 'isActive', true),
    findById: guarded.findById,
    findBy: guarded.findBy,
    create: guarded.create,
    compareAndSet: guarded.compareAndSet,
  }
  return users
}
