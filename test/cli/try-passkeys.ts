import assert from 'node:assert/strict'
import type { PasskeyStore, UserId } from '../../src/index.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'
import type { FourUsers } from '../../src/testing/passkeys/bench.js'

/** Runs the kit for stores of passkeys on printed tables, and leaves a passkey of the first user. */
export async function tryPasskeys(store: PasskeyStore, users: readonly UserId[]): Promise<void> {
  assert.equal(users.length, 4)
  assert.deepEqual(await store.verifySchema?.(), [])
  const checks: (() => Promise<void>)[] = []
  passkeyStoreConformance(
    async () => {
      for (const user of users) await store.deleteAllOfUser(user)
      return store
    },
    { users: users as unknown as FourUsers, test: (_name, run) => void checks.push(run) },
  )
  assert.ok(checks.length > 15)
  for (const check of checks) await check()
  for (const user of users) await store.deleteAllOfUser(user)
  const passkey = {
    ...{ id: 'a'.repeat(22), userId: users[0] as UserId, userHandle: 'h', credentialId: 'c' },
    ...{ publicKey: 'k', counter: 0, transports: [], aaguid: 'a', name: 'Key', backedUp: false },
    ...{ createdAt: new Date(), lastUsedAt: null },
  }
  assert.equal(await store.create(passkey), true)
}
