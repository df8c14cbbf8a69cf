import assert from 'node:assert/strict'
import { DuplicateUserError } from '../../errors.js'
import type { UserId } from '../../ports/user-store.js'
import { type Cases, isYes, many, refusesDuplicate, settled } from './bench.js'
import { caseFolded, foreignIds, unknownId } from './values.js'

/** Creating and finding: ids, unique fields, copies. */
export const READING: Cases = {
  async 'the model has an id and a unique field, under distinct columns'(store, { has, key }) {
    assert.ok(has('id'))
    assert.notEqual(key, '')
    const columns = Object.values(store.fields.columns)
    assert.equal(new Set(columns).size, columns.length)
    for (const field of store.fields.unique) assert.equal(typeof field, 'string')
  },

  async 'create returns the row that findById and findBy return later'(
    store,
    { person, read, id, find, unique },
  ) {
    const values = person('A')
    const row = await store.create(values)
    assert.deepEqual(await find(row), row)
    for (const [field, value] of Object.entries(values)) {
      const stored = read(row, field)
      assert.deepEqual(typeof value === 'boolean' ? isYes(stored) : stored, value, field)
    }
    for (const field of unique.filter((name) => values[name] !== undefined))
      assert.deepEqual(await store.findBy(field, values[field]), row)
    const other = await store.create(person('B'))
    assert.notEqual(id(other), id(row))
    assert.deepEqual(await find(row), row)
  },

  async 'an unknown or impossible id finds no row and writes nothing'(
    store,
    { person, id, key, free, find, unchanged },
  ) {
    const row = await store.create(person('A'))
    for (const wrong of [unknownId(id(row)), ...foreignIds(id(row))] as UserId[]) {
      const shown = `${typeof wrong} ${String(wrong).slice(0, 40)}`
      assert.equal(await store.findById(wrong), null, shown)
      assert.equal(await store.update(wrong, { [free]: 'changed' }), false, shown)
      assert.equal(await store.compareAndSet(wrong, {}, { [free]: 'changed' }), false, shown)
    }
    await unchanged(row)
    assert.equal(await store.findBy(key, 'nobody@example.com'), null)
    assert.deepEqual(await find(row), row)
  },

  async 'an impossible id matches no row, even before any row has been read'(
    store,
    { person, id, free },
  ) {
    // No row has been read yet, as when the first call of a process is a write.
    for (const wrong of foreignIds(1) as UserId[])
      assert.equal(await store.update(wrong, { [free]: 'x' }), false)
    for (const wrong of foreignIds('0e8a1d5c-2f4b-4c3a-9b1e-5d6f7a8b9c0d') as UserId[])
      assert.equal(await store.findById(wrong), null)
    const row = await store.create(person('A'))
    assert.equal(await store.update(id(row), { [free]: 'x' }), true)
  },

  async 'findBy matches only the exact value, without type conversion'(
    store,
    { person, key, unique },
  ) {
    await store.create(person('A', { username: '0', email: '0' }))
    await store.create(person('B'))
    for (const field of unique) {
      for (const value of [
        0,
        0n,
        1,
        -0,
        true,
        false,
        null,
        undefined,
        Number.NaN,
        {},
        [],
        ['0'],
        ['userB'],
        [0],
        { email: 1 },
        { length: 1 },
      ]) {
        assert.equal(await store.findBy(field, value), null, `${field} = ${String(value)}`)
      }
    }
    for (const field of ['constructor', '__proto__', 'toString', 'nothing'])
      assert.equal(await store.findBy(field, 'userB'), null)
    for (const near of [' ', '%', '_', '']) assert.equal(await store.findBy(key, near), null)
    const existing = person('B')[key] as string
    for (const near of [
      `${existing} `,
      ` ${existing}`,
      `${existing}\0`,
      `${existing}\ud800`,
      existing.replace('u', 'ú'),
      existing.replace('u', 'ｕ'),
    ]) {
      assert.equal(await store.findBy(key, near), null, JSON.stringify(near))
    }
  },

  async 'a duplicate unique value throws DuplicateUserError, and nothing is written'(store, on) {
    const { person, read, id, unique, unchanged } = on
    for (const field of unique.filter(on.has)) {
      const mark = `${field}1`
      const first = await store.create(person(mark, { [field]: `taken-${field}` }))
      await refusesDuplicate(
        store.create(person(`${field}2`, { [field]: read(first, field) })),
        field,
      )
      const other = await store.create(person(`${field}3`, { [field]: `free-${field}` }))
      await refusesDuplicate(
        store.update(id(other), {
          [field]: read(first, field),
          [on.free]: on.free === field ? read(first, field) : 'x',
        }),
        field,
      )
      await refusesDuplicate(
        store.compareAndSet(
          id(other),
          { [field]: read(other, field) },
          { [field]: read(first, field) },
        ),
        field,
      )
      await unchanged(other)
      await unchanged(first)
      assert.equal(
        await store.update(id(first), { [field]: read(first, field) }),
        true,
        'a row can keep its own unique value',
      )
    }
  },

  async 'several rows can have null in an optional unique field'(
    store,
    { person, unique, read, has, key },
  ) {
    const optional = unique.filter(
      (field) => has(field) && field !== 'email' && field !== 'username' && field !== key,
    )
    const none = Object.fromEntries(optional.map((field) => [field, null]))
    const rows = [
      await store.create(person('A', none)),
      await store.create(person('B', none)),
      await store.create(person('C')),
    ]
    for (const field of optional) {
      for (const row of rows) assert.equal(read(row, field) ?? null, null)
      assert.equal(await store.findBy(field, null), null)
    }
  },

  async 'exactly one of 100 parallel creations with the same unique value succeeds'(
    store,
    { person, key },
  ) {
    const { values, errors } = await settled(
      many.map((at) => store.create(person(at, { [key]: 'same@example.com' }))),
    )
    assert.equal(values.length, 1, String(errors[0]))
    for (const error of errors)
      assert.ok(error instanceof DuplicateUserError && error.field === key, String(error))
    assert.deepEqual(await store.findBy(key, 'same@example.com'), values[0])
  },

  async '100 parallel creations of different users all succeed'(store, { person, id }) {
    const rows = await Promise.all(many.map((at) => store.create(person(at))))
    assert.equal(new Set(rows.map(id)).size, many.length)
  },

  async 'methods work when detached from the store'(
    { create, findById, findBy, update, compareAndSet, fields },
    { person, id, key, free },
  ) {
    const row = await create(person('A'))
    assert.deepEqual(await findById(id(row)), row)
    assert.deepEqual(await findBy(key, row[fields.columns[key] ?? '']), row)
    assert.equal(await update(id(row), { [free]: 'b' }), true)
    assert.equal(await compareAndSet(id(row), { [free]: 'b' }, { [free]: 'c' }), true)
  },

  async 'values that differ only in case are distinct or refused as duplicates'(
    store,
    { person, key, id },
  ) {
    const row = await store.create(person('A'))
    const existing = person('A')[key] as string
    const made = await store
      .create(person('B', { [key]: caseFolded(existing) }))
      .catch((error) => assert.ok(error instanceof DuplicateUserError))
    const found = await store.findBy(key, caseFolded(existing))
    assert.equal(id(found ?? row), id(made ?? row))
  },
}
