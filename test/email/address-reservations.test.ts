import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createUsers } from '../../src/core/users/users.js'
import { createKeyring } from '../../src/crypto/keys.js'
import { createSeal } from '../../src/crypto/seal.js'
import { createReservations } from '../../src/features/email/address-reservations.js'
import { memoryUsers } from '../../src/index.js'
import type { OneTimeStore } from '../../src/ports/one-time-store.js'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, mortalUsers, next } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'

const shared = 'shared@example.com'

/** Two users who have had the same address. `beforeTaking` runs before a value is deleted. */
async function setUp() {
  const keys = createKeyring(secret)
  const users = createUsers(memoryUsers(), 1000, keys('lineage')[0])
  const create = (username: string) =>
    users.create({ username, email: addressOf(username), hashedPassword: null })
  const [ann, bob] = [await create('ann'), await create('bob')]
  const inner = memoryOneTime()
  const hooks = { beforeTaking: async () => {} }
  const store: OneTimeStore = {
    ...inner,
    take: (...args) => hooks.beforeTaking().then(() => inner.take(...args)),
  }
  const seal = createSeal(keys('reservation'))
  const reservations = createReservations(store, users, seal, keys('address'))
  await reservations.reserve(ann, { email: shared, wasVerified: true }, 60, true)
  const reserveForBob = () =>
    reservations.reserve(bob, { email: shared, wasVerified: true }, 60, true)
  return { ann, bob, hooks, reservations, reserveForBob }
}

test('address reservations: releasing keeps the reservation that another account has by now', async () => {
  const { ann, bob, reservations, reserveForBob } = await setUp()
  await reserveForBob()
  assert.equal((await reservations.holderOf(shared))?.username, 'bob')
  await reservations.releaseSince(ann, shared)
  assert.equal((await reservations.holderOf(shared))?.username, 'bob')
  await reservations.releaseSince(bob, shared)
  assert.equal(await reservations.holderOf(shared), null)
})

test('address reservations: releasing keeps the reservation that another account makes meanwhile', async () => {
  const { ann, hooks, reservations, reserveForBob } = await setUp()
  let reserved: Promise<void> | undefined
  hooks.beforeTaking = () => {
    reserved ??= reserveForBob()
    return reserved
  }
  await reservations.releaseSince(ann, shared)
  assert.ok(reserved)
  assert.equal((await reservations.holderOf(shared))?.username, 'bob')
})

for (const backend of backends) {
  test(`${backend.name}: address reservations: an account created again with the same id inherits none`, async (t) => {
    const users = mortalUsers()
    const { app, mail, row, join, move, anyone } = await mailApp(t, backend, {
      auth: { users: users.store },
    })
    const former = addressOf('ann')
    await move(await join('ann'), former, 'new@example.com')
    const { id } = await row('ann')
    await users.remake({
      ...{ id, username: 'bob', email: addressOf('bob'), emailVerified: true, isActive: true },
      hashedPassword: await app.crudAuth.passwords.hash(password),
    })
    const bob = new Client(app)
    answers(await bob.login('bob'), 200)
    const change = { current_password: password, new_password: next }
    answers(await bob.post('/change-password', change), 200)
    await mail.next(addressOf('bob'), 'password_changed')
    await settle()
    assert.equal(mail.to(former, 'email_changed').length, 1, 'only the first owner was notified')

    answers(await anyone.register('ann'), 202)
    await mail.next(former, 'verify_email', 2)
    assert.equal(mail.to(former, 'existing_account').length, 0)
    assert.equal((await row('ann')).email, former)
  })
}
