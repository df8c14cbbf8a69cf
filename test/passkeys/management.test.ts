import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { password } from '../helpers/build.js'
import { type Client, signedIn } from '../helpers/client.js'
import { times } from '../helpers/hostile.js'
import { Mailbox } from '../helpers/mailbox.js'
import { passkeyPlaces, passkeysEverywhere } from '../helpers/passkey-places.js'
import {
  addPasskey,
  buildPasskeys,
  device,
  passkeyIds,
  passkeyLogin,
  passkeyLoginOf,
  passkeyUser,
} from '../helpers/passkeys.js'

const rename = (client: Client, id: string, body: object) =>
  client.request('PATCH', `/passkeys/${id}`, { payload: body })
const remove = (client: Client, id: string) => client.delete(`/passkeys/${id}`)
const missing = 'CRUDAUTH_NOT_FOUND'

for (const place of passkeyPlaces) {
  describe(`${place.name}: the passkeys of a user`, () => {
    test('are listed from the oldest on, renamed and removed', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const { client, passkey } = await passkeyUser(app, 'ada')
      await wait(10)
      const second = await addPasskey(client, device({ transports: ['usb'] }), 'Key')
      assert.deepEqual(answers(await client.get('/passkeys'), 200), [passkey, second])
      const renamed = answers(await rename(client, passkey.id, { name: ' Phone ' }), 200)
      assert.deepEqual(renamed, { ...passkey, name: 'Phone' })
      assert.deepEqual(answers(await client.get('/passkeys'), 200), [renamed, second])
      for (const name of ['', '  ', 'x'.repeat(101), 'a\0', 'a\nb', 5, null, undefined])
        refusesOwn(await rename(client, passkey.id, { name }), 'FST_ERR_VALIDATION')
      const removed = answers(await remove(client, second.id), 200)
      assert.deepEqual(removed, { detail: 'Passkey removed' })
      refusesOwn(await remove(client, second.id), missing)
      refusesOwn(await rename(client, second.id, { name: 'x' }), missing)
      assert.deepEqual(answers(await client.get('/passkeys'), 200), [renamed])
    })

    test('of others are as unknown as those that do not exist', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, auth, { store })
      const ada = await passkeyUser(app, 'ada')
      const bob = await passkeyUser(app, 'bob')
      const [{ id: credential = '' } = {}] = bob.authenticator.credentials
      for (const id of [ada.passkey.id, credential, 'x', '%00', '__proto__', 'A'.repeat(64)]) {
        refusesOwn(await rename(bob.client, id, { name: 'mine' }), missing)
        refusesOwn(await remove(bob.client, id), missing)
      }
      refusesOwn(await remove(bob.client, 'A'.repeat(65)), 'FST_ERR_VALIDATION')
      assert.deepEqual(answers(await ada.client.get('/passkeys'), 200), [ada.passkey])
    })

    test('an old sign-in may rename, but not remove', async (t) => {
      const { auth, store } = await place.open(t)
      const app = await buildPasskeys(t, { ...auth, freshSeconds: 1 }, { store })
      const { client, passkey } = await passkeyUser(app, 'ada')
      await wait(1100)
      refusesOwn(await remove(client, passkey.id), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
      answers(await rename(client, passkey.id, { name: 'Phone' }), 200)
      assert.equal((await client.post('/sudo', { password })).statusCode, 200)
      answers(await remove(client, passkey.id), 200)
    })

    test('the toolbox lists and revokes them, even the last way to sign in', async (t) => {
      const { auth, store } = await place.open(t)
      const users = memoryUsers()
      const app = await buildPasskeys(t, { ...auth, users }, { store })
      const { client, authenticator, passkey } = await passkeyUser(app, 'ada')
      const bob = await passkeyUser(app, 'bob')
      await addPasskey(client, device(), 'Key')
      await addPasskey(client, device(), 'Key')
      await users.update(1, { hashedPassword: null })
      const toolbox = app.crudAuth.passkeys
      const user = { id: 1 } as never
      const listed = await toolbox.list(user)
      assert.equal(listed.length, 3)
      const members = ['backedUp', 'createdAt', 'id', 'lastUsedAt', 'name', 'transports']
      for (const one of listed) assert.deepEqual(Object.keys(one).sort(), members)
      assert.equal(await toolbox.revoke(user, bob.passkey.id), false)
      assert.equal(await toolbox.revoke(user, 'x'), false)
      assert.equal(await toolbox.revoke(user, passkey.id), true)
      assert.equal(await toolbox.revoke(user, passkey.id), false)
      assert.equal(await toolbox.revokeAll(user), 2)
      assert.equal(await toolbox.revokeAll(user), 0)
      assert.deepEqual(await toolbox.list(user), [])
      const late = await passkeyLoginOf(app, authenticator)
      refusesOwn(late, 'CRUDAUTH_BAD_CREDENTIALS')
      assert.equal((await passkeyIds(bob.client)).length, 1)
    })
  })
}

for (const place of passkeysEverywhere) {
  test(`${place.name}: the only way to sign in stays, also when all are removed at once`, async (t) => {
    const { auth, store } = await place.open(t)
    const users = memoryUsers()
    const app = await buildPasskeys(t, { ...auth, users }, { store })
    for (const name of times(5, (index) => `user${index}`)) {
      const owner = await signedIn(app, name)
      const { user_id } = answers(await owner.get('/me'), 200)
      const authenticator = device()
      const ids = [(await addPasskey(owner, authenticator)).id]
      await users.update(user_id, { hashedPassword: null })
      const client = owner
      client.cookies.clear()
      client.csrf = null
      answers(await passkeyLogin(client, authenticator), 200)
      refusesOwn(await remove(client, ids[0] ?? ''), 'CRUDAUTH_LAST_SIGN_IN_METHOD')
      for (const _ of times(2, Number)) ids.push((await addPasskey(client, device())).id)
      const removed = await Promise.all(ids.map((id) => remove(client, id)))
      assert.deepEqual(removed.map(({ statusCode }) => statusCode).sort(), [200, 200, 409])
      assert.equal((await passkeyIds(client)).length, 1)
    }
  })
}

test('removals are told to the user and to the app, once each', async (t) => {
  const mail = new Mailbox()
  const removed: unknown[] = []
  const hooks = {
    onPasskeyRemoved: (_user: object, { passkey, request }: Record<string, { id?: string }>) =>
      void removed.push([passkey?.id, request !== null]),
  }
  const app = await buildPasskeys(t, { email: mail.options(), hooks: hooks as never })
  const { client, passkey } = await passkeyUser(app, 'ada')
  const [second, third] = [await addPasskey(client, device()), await addPasskey(client, device())]
  answers(await remove(client, passkey.id), 200)
  refusesOwn(await remove(client, passkey.id), missing)
  await app.crudAuth.passkeys.revoke({ id: 1 } as never, second.id)
  await app.crudAuth.passkeys.revokeAll({ id: 1 } as never)
  await mail.next('ada@example.com', 'passkey_removed', 3)
  assert.deepEqual(removed, [
    [passkey.id, true],
    [second.id, false],
    [third.id, false],
  ])
})

test('without the option there are no routes, and the toolbox says why', async (t) => {
  const app = await buildPasskeys(t, { passkeys: undefined })
  const client = await signedIn(app, 'ada')
  assert.equal((await client.get('/passkeys')).statusCode, 404)
  assert.equal((await client.post('/passkeys/login/options', {})).statusCode, 404)
  await assert.rejects(
    app.crudAuth.passkeys.list({ id: 1 } as never),
    /needs the option "passkeys"/,
  )
})
