import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createUsers } from '../../src/core/users/users.js'
import { createKeyring } from '../../src/crypto/keys.js'
import { createSeal } from '../../src/crypto/seal.js'
import { createReservations } from '../../src/features/email/address-reservations.js'
import { memoryUsers } from '../../src/index.js'
import { memoryOneTime } from '../../src/state/memory/one-time.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { password, secret } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { addressOf, mailApp, mortalUsers, next } from '../helpers/email.js'
import { settle } from '../helpers/mailbox.js'

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
  assert.equal(holder?.username, 'bob')
  await reservations.releaseSince(ann, shared)
  assert.deepEqual(await reservations.holderOf(shared), holder)
  await reservations.releaseSince(bob, shared)
  assert.equal(await reservations.holderOf(shared), null)
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
