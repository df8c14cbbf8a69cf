import assert from 'node:assert/strict'
import type { UserId } from '../../ports/user-store.js'
import { atOnce } from '../store-kit.js'
import { caseFolded } from '../users/values.js'
import { type Cases, MAX_COUNTER, timeAt } from './bench.js'

const useOf = (counter: number, seconds = 90) => ({
  counter,
  backedUp: false,
  lastUsedAt: timeAt(seconds),
})

/** Ids that aren't those of a passkey, although a database may find them alike. */
const nearIds = (id: string) => [
  caseFolded(id),
  `${id} `,
  ` ${id}`,
  `${id}\0`,
  id.slice(1),
  ...['', '%', '0', '\ud800', "' or 1=1 --", 'x'.repeat(10_000)],
]

/** Using, renaming and deleting passkeys. */
export const WRITING: Cases = {
  async 'a use is written only if the counter has the expected value'(store, { added, unchanged }) {
    const [passkey, witness] = [await added({ counter: 5 }), await added({ counter: 5 })]
    for (const wrong of [4, 6, 0, -1, 5.5, Number.NaN, MAX_COUNTER])
      assert.equal(await store.compareAndSetCounter(passkey.id, wrong, useOf(9)), false)
    for (const id of nearIds(passkey.id))
      assert.equal(await store.compareAndSetCounter(id, 5, useOf(9)), false, id.slice(0, 40))
    await unchanged(passkey)
    assert.equal(await store.compareAndSetCounter(passkey.id, 5, useOf(9)), true)
    await unchanged({ ...passkey, ...useOf(9) })
    assert.equal(await store.compareAndSetCounter(passkey.id, 5, useOf(10)), false)
    await unchanged({ ...passkey, ...useOf(9) })
    await unchanged(witness)
  },

  async 'exactly one of 100 parallel uses with the same counter is written'(
    store,
    { added, unchanged },
  ) {
    const passkey = await added({ counter: 1 })
    const written = await atOnce(100, (at) =>
      store.compareAndSetCounter(passkey.id, 1, useOf(at + 2, at)),
    )
    assert.equal(written.filter(Boolean).length, 1)
    const winner = written.indexOf(true)
    await unchanged({ ...passkey, ...useOf(winner + 2, winner) })
  },

  async 'a passkey that does not count is used again and again'(store, { added, unchanged }) {
    const passkey = await added({ counter: 0 })
    for (const seconds of [1, 1, 2]) {
      assert.equal(await store.compareAndSetCounter(passkey.id, 0, useOf(0, seconds)), true)
      await unchanged({ ...passkey, ...useOf(0, seconds) })
    }
  },

  async 'counters above 2^31 are compared and stored'(store, { added, unchanged }) {
    const passkey = await added({ counter: 2 ** 31 - 1 })
    let last = passkey.counter
    for (const next of [2 ** 31, 2 ** 31 + 1, MAX_COUNTER]) {
      assert.equal(await store.compareAndSetCounter(passkey.id, last, useOf(next)), true)
      await unchanged({ ...passkey, ...useOf(next) })
      last = next
    }
    assert.equal(await store.compareAndSetCounter(passkey.id, -1, useOf(1)), false)
  },

  async 'a passkey is renamed for its owner only'(store, { added, unchanged, user, other }) {
    const [passkey, witness] = [await added(), await added({ userId: other })]
    assert.equal(await store.rename(other, passkey.id, 'Stolen'), false)
    for (const id of nearIds(passkey.id))
      assert.equal(await store.rename(user, id, 'Wrong'), false, id.slice(0, 40))
    await unchanged(passkey)
    for (const name of ['Laptop', 'Laptop', "Ann's key; --"]) {
      assert.equal(await store.rename(user, passkey.id, name), true)
      await unchanged({ ...passkey, name })
    }
    await unchanged(witness)
  },

  async 'a passkey is deleted for its owner only'(store, { added, unchanged, find, user, other }) {
    const [passkey, kept, witness] = [await added(), await added(), await added({ userId: other })]
    for (const keepLast of [true, false]) {
      assert.equal(await store.delete(other, passkey.id, keepLast), 'absent')
      for (const id of nearIds(passkey.id))
        assert.equal(await store.delete(user, id, keepLast), 'absent', id.slice(0, 40))
    }
    await unchanged(passkey)
    assert.equal(await store.delete(user, passkey.id, false), 'deleted')
    assert.equal(await store.delete(user, passkey.id, false), 'absent')
    assert.equal(await find(passkey), null)
    await unchanged(kept)
    await unchanged(witness)
  },

  async 'a deleted credential can be created again, for another user too'(
    store,
    { added, user, other, unchanged },
  ) {
    const { id, credentialId } = await added()
    await store.delete(user, id, false)
    await unchanged(await added({ id, credentialId, userId: other }))
  },

  async 'with keepLast the only passkey of a user stays'(store, { added, unchanged, user, other }) {
    const [first, second] = [await added(), await added({ createdAt: timeAt(1) })]
    await added({ userId: other })
    assert.equal(await store.delete(user, first.id, true), 'deleted')
    assert.equal(await store.delete(user, first.id, true), 'absent')
    assert.equal(await store.delete(user, second.id, true), 'last')
    await unchanged(second)
    assert.equal(await store.delete(user, second.id, false), 'deleted')
    assert.deepEqual(await store.listByUser(user), [])
    assert.equal((await store.listByUser(other)).length, 1)
  },

  async 'parallel deletions with keepLast leave exactly one passkey'(store, { added, users }) {
    for (let round = 0; round < 8; round++) {
      const userId = users[round % 4] as UserId
      const passkeys = [await added({ userId }), await added({ userId }), await added({ userId })]
      const results = await atOnce(6, (at) =>
        store.delete(userId, passkeys[at % 3]?.id ?? '', true),
      )
      const shown = results.join()
      assert.equal((await store.listByUser(userId)).length, 1, shown)
      assert.equal(results.filter((result) => result === 'deleted').length, 2, shown)
      assert.equal(await store.deleteAllOfUser(userId), 1)
    }
  },

  async 'deleteAllOfUser deletes the passkeys of this user and counts them'(
    store,
    { added, unchanged, user, other },
  ) {
    for (let count = 0; count < 5; count++) await added()
    const witness = await added({ userId: other })
    assert.equal(await store.deleteAllOfUser(user), 5)
    assert.equal(await store.deleteAllOfUser(user), 0)
    assert.deepEqual(await store.listByUser(user), [])
    await unchanged(witness)
  },

  async 'parallel calls of deleteAllOfUser count each passkey once'(store, { added, user }) {
    for (let count = 0; count < 5; count++) await added()
    const counts = await atOnce(4, () => store.deleteAllOfUser(user))
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      5,
    )
    assert.deepEqual(await store.listByUser(user), [])
  },

  async 'methods work when detached from the store'(store, { passkeyOf, user }) {
    const { create, findByCredentialId, listByUser, compareAndSetCounter, rename } = store
    const { delete: remove, deleteAllOfUser, verifySchema } = store
    const passkey = passkeyOf()
    assert.equal(await create(passkey), true)
    assert.deepEqual(await findByCredentialId(passkey.credentialId), passkey)
    assert.deepEqual(await listByUser(user), [passkey])
    assert.equal(await compareAndSetCounter(passkey.id, 0, useOf(1)), true)
    assert.equal(await rename(user, passkey.id, 'Laptop'), true)
    assert.equal(await remove(user, passkey.id, true), 'last')
    assert.equal(await deleteAllOfUser(user), 1)
    assert.deepEqual((await verifySchema?.()) ?? [], [])
  },
}
