import assert from 'node:assert/strict'
import { UserValueError } from '../../errors.js'
import type { UserId } from '../../ports/user-store.js'
import { type Cases, isYes, many, type Row } from './bench.js'
import { HOSTILE_TEXTS, unknownId } from './values.js'

/** Changing: compare-and-set, hostile values and names. */
export const WRITING: Cases = {
  async 'compareAndSet writes only if every expected value matches'(
    store,
    { person, id, find, read, free, key, unchanged },
  ) {
    const row = await store.create(person('A', { [free]: 'Old' }))
    for (const expected of [
      { [free]: 'new' },
      { [free]: 'old' },
      { [free]: 'Old ' },
      { [free]: null },
      { [free]: '' },
      { [free]: 'Old', [key]: 'x@example.com' },
    ]) {
      if (free === key && expected[key] === 'x@example.com') continue
      assert.equal(
        await store.compareAndSet(id(row), expected, { [free]: 'new' }),
        false,
        JSON.stringify(expected),
      )
    }
    await unchanged(row)
    assert.equal(
      await store.compareAndSet(
        id(row),
        { [free]: read(row, free), id: id(row) },
        { [free]: 'new' },
      ),
      true,
    )
    assert.equal(read(await find(row), free), 'new')
    assert.equal(await store.compareAndSet(id(row), {}, { [free]: 'newer' }), true)
    assert.equal(read(await find(row), free), 'newer')
    assert.equal(await store.compareAndSet(id(row), { [free]: 'a\0b' }, { [free]: 'x' }), false)
    assert.equal(read(await find(row), free), 'newer')
  },

  async 'compareAndSet accepts null as an expected value'(
    store,
    { person, id, find, read, free, key },
  ) {
    if (free === key) return
    const row = await store.create(person('A', { [free]: null }))
    assert.equal(read(row, free) ?? null, null)
    assert.equal(await store.compareAndSet(id(row), { [free]: 'x' }, { [free]: 'y' }), false)
    assert.equal(await store.compareAndSet(id(row), { [free]: null }, { [free]: 'set' }), true)
    assert.equal(await store.compareAndSet(id(row), { [free]: null }, { [free]: 'again' }), false)
    assert.equal(read(await find(row), free), 'set')
    assert.equal(await store.compareAndSet(id(row), { [free]: 'set' }, { [free]: null }), true)
    assert.equal(read(await find(row), free) ?? null, null)
  },

  async 'exactly one of 100 parallel compareAndSet calls succeeds'(
    store,
    { person, id, find, read, free },
  ) {
    const row = await store.create(person('A'))
    const won = await Promise.all(
      many.map((at) =>
        store.compareAndSet(id(row), { [free]: read(row, free) }, { [free]: `winner${at}` }),
      ),
    )
    assert.equal(won.filter(Boolean).length, 1)
    assert.equal(read(await find(row), free), `winner${won.indexOf(true)}`)
  },

  async 'parallel increments with compareAndSet are all counted'(
    store,
    { person, id, find, read, has },
  ) {
    if (!has('tokenVersion')) return
    const row = await store.create(person('A'))
    const step = async (): Promise<void> => {
      const version = read(await find(row), 'tokenVersion') as number
      if (
        !(await store.compareAndSet(
          id(row),
          { tokenVersion: version },
          { tokenVersion: Number(version) + 1 },
        ))
      )
        return step()
    }
    await Promise.all(Array.from({ length: 10 }, step))
    assert.equal(Number(read(await find(row), 'tokenVersion')), 10)
  },

  async 'a write that changes nothing succeeds if the row exists'(
    store,
    { person, id, read, free, unchanged, has },
  ) {
    const row = await store.create(person('A'))
    const same = {
      [free]: read(row, free),
      ...(has('updatedAt') && { updatedAt: read(row, 'updatedAt') }),
    }
    for (let round = 0; round < 2; round++) {
      assert.equal(await store.update(id(row), same), true)
      assert.equal(await store.compareAndSet(id(row), { [free]: read(row, free) }, same), true)
      assert.equal(await store.update(id(row), {}), true)
      assert.equal(await store.compareAndSet(id(row), { [free]: read(row, free) }, {}), true)
      assert.equal(await store.compareAndSet(id(row), { [free]: 'other' }, {}), false)
      assert.equal(await store.update(id(row), { ...same, [free]: undefined }), true)
    }
    assert.equal(await store.update(id(row), same), true)
    if (!has('updatedAt')) await unchanged(row)
  },

  async 'flags are stored and times are set'(store, { person, id, find, read, has }) {
    const row = await store.create(person('A'))
    for (const flag of ['isActive', 'isSuperuser', 'emailVerified'].filter(has)) {
      for (const value of [true, false, true]) {
        assert.equal(await store.update(id(row), { [flag]: value }), true)
        assert.equal(isYes(read(await find(row), flag)), value)
        assert.equal(
          await store.compareAndSet(id(row), { [flag]: !value }, { [flag]: value }),
          false,
        )
        assert.equal(await store.compareAndSet(id(row), { [flag]: value }, { [flag]: value }), true)
      }
    }
    for (const time of ['createdAt', 'updatedAt'].filter(has))
      assert.notEqual(read(row, time) ?? null, null, time)
  },

  async 'hostile text is stored unchanged or refused, and affects no other row'(
    store,
    { person, id, find, read, free, key, unchanged },
  ) {
    const witness = await store.create(person('witness'))
    const row = await store.create(person('A'))
    for (const [at, text] of HOSTILE_TEXTS.entries()) {
      const shown = JSON.stringify(text.slice(0, 30))
      for (const field of new Set([free, key])) {
        const stored = await store
          .update(id(row), { [field]: text })
          .catch((error) => assert.ok(error instanceof UserValueError, `${shown}: ${error}`))
        if (stored) assert.equal(read(await find(row), field), text, shown)
        if (stored)
          assert.equal(
            await store.compareAndSet(id(row), { [field]: text }, { [field]: `plain${at}` }),
            true,
            shown,
          )
        if (!stored)
          assert.equal(
            await store.compareAndSet(id(row), { [field]: text }, { [field]: 'x' }),
            false,
            shown,
          )
      }
      const made = await store
        .create(person(`h${at}`, { [key]: text }))
        .catch((error) => assert.ok(error instanceof UserValueError, `${shown}: ${error}`))
      assert.deepEqual((await store.findBy(key, text)) ?? undefined, made, shown)
    }
    await unchanged(witness)
  },

  async 'the error for a refused value does not contain the value'(
    store,
    { person, id, free, unchanged },
  ) {
    const row = await store.create(person('A'))
    for (const value of ['secret\0value', 'secret\ud800value', Number.NaN, () => 'secret']) {
      for (const work of [
        store.update(id(row), { [free]: value }),
        store.create(person('B', { [free]: value })),
      ]) {
        await assert.rejects(
          work,
          (error) => error instanceof UserValueError && !error.message.includes('secret'),
        )
      }
    }
    await unchanged(row)
  },

  async 'field names such as __proto__ are refused'(store, { person, id, unchanged }) {
    const row = await store.create(person('A'))
    for (const name of [
      '__proto__',
      'constructor',
      'prototype.x',
      'email"; drop table users; --',
      'a\0b',
    ]) {
      const evil = JSON.parse(`{${JSON.stringify(name)}:{"isSuperuser":true}}`)
      await assert.rejects(store.update(id(row), evil))
      await assert.rejects(store.create({ ...person('B'), ...evil }))
      assert.equal(await store.compareAndSet(id(row), evil, {}).catch(() => false), false, name)
    }
    assert.equal(({} as Row).isSuperuser, undefined)
    assert.equal((await store.findById(id(row))).isSuperuser === true, false)
    await unchanged(row)
  },

  async 'changing a returned row does not change the store'(store, { person, find }) {
    const row = await store.create(person('A'))
    const before = structuredClone({ ...row })
    for (const handed of [row, await find(row)]) {
      for (const [name, value] of Object.entries(handed)) {
        if (value instanceof Date) value.setTime(0)
        else handed[name] = 'spoilt'
      }
    }
    assert.deepEqual(
      await store.findById(before[store.fields.columns.id ?? 'id'] as UserId),
      before,
    )
  },

  async 'compareAndSet compares a flag with the value that was read'(
    store,
    { person, id, read, find },
  ) {
    if (store.fields.columns.isActive === undefined) return
    const row = await store.create(person('A', { isActive: true }))
    const before = read(row, 'isActive')
    assert.equal(
      await store.compareAndSet(id(row), { isActive: before }, { isActive: false }),
      true,
    )
    assert.equal(
      await store.compareAndSet(id(row), { isActive: before }, { isActive: true }),
      false,
    )
    assert.equal(
      await store.compareAndSet(
        id(row),
        { isActive: read(await find(row), 'isActive') },
        { isActive: true },
      ),
      true,
    )
  },

  async 'update cannot change an id'(store, { person, id, unchanged, free }) {
    const [row, other] = [await store.create(person('A')), await store.create(person('B'))]
    for (const next of [id(other), unknownId(id(row))])
      await assert.rejects(store.update(id(row), { id: next, [free]: 'x' }), UserValueError)
    await unchanged(row)
    await unchanged(other)
  },
}
