import assert from 'node:assert/strict'
import type { UserId } from '../../ports/user-store.js'
import { atOnce } from '../store-kit.js'
import { caseFolded, foreignIds } from '../users/values.js'
import { type Cases, MAX_COUNTER, timeAt } from './bench.js'

/** Creating, finding and listing passkeys. */
export const READING: Cases = {
  async 'a passkey is found and listed as it was created'(store, { added, unchanged, users }) {
    const passkeys = [
      await added({ transports: [], backedUp: false, counter: 7 }),
      await added({ userId: users[1], lastUsedAt: timeAt(60), name: 'Zoë’s 🔑, "main"' }),
    ]
    for (const passkey of passkeys) {
      await unchanged(passkey)
      assert.deepEqual(await store.listByUser(passkey.userId), [passkey])
    }
    assert.deepEqual(await store.listByUser(users[2]), [])
  },

  async 'the longest values and the highest counter are stored unchanged'(
    store,
    { added, unchanged },
  ) {
    const longest = await added({
      userHandle: 'h'.repeat(86),
      credentialId: `${'c'.repeat(1363)}A`,
      publicKey: 'k'.repeat(4095),
      counter: MAX_COUNTER,
      transports: ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'],
      name: 'é'.repeat(100),
    })
    // It differs in the last character alone.
    const near = await added({ credentialId: `${'c'.repeat(1363)}B` })
    await unchanged(longest)
    await unchanged(near)
    assert.equal((await store.listByUser(longest.userId)).length, 2)
  },

  async 'a known id or credential is refused, and nothing is written'(
    store,
    { added, passkeyOf, unchanged, user, other },
  ) {
    const passkey = await added()
    const { id, credentialId } = passkey
    for (const taken of [{ id }, { credentialId }, { id, credentialId }])
      for (const userId of [user, other]) {
        const next = passkeyOf({ ...taken, userId, name: 'Other' })
        assert.equal(await store.create(next), false)
      }
    await unchanged(passkey)
    assert.deepEqual(await store.listByUser(user), [passkey])
    assert.deepEqual(await store.listByUser(other), [])
  },

  async 'of 100 parallel passkeys with one credential, one is created'(
    store,
    { passkeyOf, users, find },
  ) {
    const { credentialId } = passkeyOf()
    const passkeys = Array.from({ length: 100 }, (_, at) =>
      passkeyOf({ credentialId, userId: users[at % 4] as UserId }),
    )
    const created = await atOnce(100, (at) => store.create(passkeys[at] ?? passkeyOf()))
    const winners = passkeys.filter((_, at) => created[at])
    assert.equal(winners.length, 1)
    assert.deepEqual(await find(passkeyOf({ credentialId })), winners[0])
    const listed = await Promise.all(users.map((userId) => store.listByUser(userId)))
    assert.deepEqual(listed.flat(), winners)
  },

  async 'of 100 parallel passkeys with one id, one is created'(store, { passkeyOf, user }) {
    const { id } = passkeyOf()
    const created = await atOnce(100, () => store.create(passkeyOf({ id })))
    assert.equal(created.filter(Boolean).length, 1)
    assert.equal((await store.listByUser(user)).length, 1)
  },

  async 'only exactly this credential is found'(store, { added, unchanged }) {
    const credentialId = 'AbCdefGhi_-0'
    const passkey = await added({ credentialId })
    const near: unknown[] = [
      caseFolded(credentialId),
      credentialId.toLowerCase(),
      `${credentialId} `,
      ` ${credentialId}`,
      `${credentialId}\0`,
      `${credentialId}=`,
      credentialId.replace('b', 'ḃ'),
      credentialId.slice(0, -1),
      ...['', '%', '_', '0', '\ud800', '__proto__', "' or 1=1 --", 'x'.repeat(10_000)],
      ...[0, 1, 0n, true, null, undefined, {}, [credentialId]],
    ]
    for (const value of near)
      assert.equal(await store.findByCredentialId(value as string), null, String(value))
    await unchanged(passkey)
  },

  async 'credentials and ids that differ only in case are distinct'(
    store,
    { added, unchanged, user },
  ) {
    const passkeys = [
      await added({ id: 'aBcdefghijklmnopqrstuv', credentialId: 'aBcd' }),
      await added({ id: 'AbCDEFGHIJKLMNOPQRSTUV', credentialId: 'AbCD' }),
    ]
    for (const passkey of passkeys) await unchanged(passkey)
    assert.equal(await store.rename(user, 'aBcdefghijklmnopqrstuv', 'Laptop'), true)
    assert.equal(await store.delete(user, 'AbCDEFGHIJKLMNOPQRSTUV', false), 'deleted')
    assert.deepEqual(await store.listByUser(user), [{ ...passkeys[0], name: 'Laptop' }])
  },

  async 'passkeys are listed oldest first'(store, { added, user, other }) {
    for (const seconds of [30, 10, 40, 20])
      await added({ createdAt: timeAt(seconds), name: String(seconds) })
    await added({ userId: other })
    const names = (await store.listByUser(user)).map(({ name }) => name)
    assert.deepEqual(names, ['10', '20', '30', '40'])
  },

  async 'a user id of another type or spelling is another user'(store, { added, unchanged, user }) {
    const passkey = await added()
    for (const wrong of foreignIds(user) as UserId[]) {
      const shown = `${typeof wrong} ${String(wrong).slice(0, 40)}`
      assert.deepEqual(await store.listByUser(wrong), [], shown)
      assert.equal(await store.rename(wrong, passkey.id, 'Stolen'), false, shown)
      assert.equal(await store.delete(wrong, passkey.id, false), 'absent', shown)
      assert.equal(await store.delete(wrong, passkey.id, true), 'absent', shown)
      assert.equal(await store.deleteAllOfUser(wrong), 0, shown)
    }
    await unchanged(passkey)
  },

  async 'changing a returned or a given passkey does not change the store'(
    store,
    { passkeyOf, find, user },
  ) {
    const given = passkeyOf({ lastUsedAt: timeAt(1) })
    const before = structuredClone(given)
    await store.create(given)
    for (const handed of [given, await find(given), (await store.listByUser(user))[0]]) {
      assert.ok(handed)
      handed.createdAt.setTime(0)
      handed.lastUsedAt?.setTime(0)
      ;(handed.transports as string[]).push('usb')
      Object.assign(handed, { name: 'spoilt', counter: 99, publicKey: 'spoilt' })
      assert.deepEqual(await store.findByCredentialId(before.credentialId), before)
    }
  },
}
