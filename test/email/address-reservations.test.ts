import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createUsers } from '../../src/core/users/users.js'
import { createKeyring } from '../../src/crypto/keys.js'
import { createSeal } from '../../src/crypto/seal.js'
import { createReservations } from '../../src/features/email/address-reservations.js'
import { memoryUsers } from '../../src/index.js'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { secret } from '../helpers/build.js'

test('address reservations: releasing keeps the reservation that another account has by now', async () => {
  const keys = createKeyring(secret)
  const users = createUsers(memoryUsers(), 1000, keys('lineage')[0])
  const create = (username: string) =>
    users.create({ username, email: `${username}@example.com`, hashedPassword: null })
  const [ann, bob] = [await create('ann'), await create('bob')]
  const seal = createSeal(keys('reservation'))
  const reservations = createReservations(memoryOneTime(), users, seal, keys('address'))
  const shared = 'shared@example.com'
  await reservations.reserve(ann, { email: shared, wasVerified: false }, 60, false)
  await reservations.reserve(bob, { email: shared, wasVerified: true }, 60, true)
  const holder = await reservations.holderOf(shared)
  await reservations.releaseSince(ann, shared)
  assert.equal(await reservations.holderOf(shared), holder)
  await reservations.releaseSince(bob, shared)
  assert.equal(await reservations.holderOf(shared), null)
})
