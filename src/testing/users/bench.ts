import assert from 'node:assert/strict'
import { DuplicateUserError } from '../../errors.js'
import type { UserId, UserStore, UserValues } from '../../ports/user-store.js'

// biome-ignore lint/suspicious/noExplicitAny: the kit reads rows through `fields` alone
export type AnyUserStore = UserStore<any>
export type Row = Record<string, unknown>

/** Tests by name. */
export type Cases = Record<string, (store: AnyUserStore, on: Bench) => Promise<void>>

export const many = Array.from({ length: 100 }, (_, at) => at)

/** Helpers to test one store. */
export function bench(store: AnyUserStore) {
  const { columns, unique } = store.fields
  const has = (field: string) => columns[field] !== undefined
  const read = (row: Row | null, field: string): unknown => row?.[columns[field] ?? '']
  const id = (row: Row) => read(row, 'id') as UserId
  const key =
    ['email', 'username', ...unique].find((field) => has(field) && unique.includes(field)) ?? ''
  /** A field that accepts any text. */
  const free = has('hashedPassword') ? 'hashedPassword' : key
  const person = (mark: string | number, further: UserValues = {}): UserValues => {
    const all: UserValues = {
      email: `user${mark}@example.com`,
      username: `user${mark}`,
      hashedPassword: `hash${mark}`,
      isActive: true,
      isSuperuser: false,
      emailVerified: false,
      tokenVersion: 0,
      ...(key !== 'email' && key !== 'username' && { [key]: `user${mark}` }),
      ...further,
    }
    return Object.fromEntries(Object.entries(all).filter(([field]) => has(field)))
  }
  const find = async (row: Row): Promise<Row> => {
    const found = await store.findById(id(row))
    assert.ok(found, 'the row exists')
    return found
  }
  const unchanged = async (row: Row) => assert.deepEqual(await find(row), row)
  return { has, read, id, key, free, person, find, unchanged, unique }
}

type Bench = ReturnType<typeof bench>

export const isYes = (value: unknown) => value === true || value === 1 || value === 1n

export const settled = async <T>(work: Promise<T>[]) => {
  const results = await Promise.allSettled(work)
  return {
    values: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    errors: results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])),
  }
}

export const refusesDuplicate = (work: Promise<unknown>, field: string) =>
  assert.rejects(work, (error) => error instanceof DuplicateUserError && error.field === field)
