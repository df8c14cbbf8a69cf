import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { addressOf, mailApp, mortalUsers, next } from '../helpers/email.js'
import { hookedPasskeys } from '../helpers/hooked-passkeys.js'
import { times } from '../helpers/hostile.js'
import { ada, Browser, browserOf, buildOAuth, fields, landsOn } from '../helpers/oauth.js'
import { passkeyPlaces, passkeysEverywhere } from '../helpers/passkey-places.js'
import {
  addPasskey,
  buildPasskeys,
  device,
  passkeyIds,
  passkeyLoginOf,
  passkeyOptions,
  passkeyUser,
  register,
  registrationOf,
} from '../helpers/passkeys.js'

const bad = 'CRUDAUTH_BAD_CREDENTIALS'

for (const place of passkeyPlaces) {
  describe(`${place.name}: passkeys of an account that was never verified`, () => {
    test('a reset removes them', async (t) => {
      const { auth, store } = await place.open(t)
      const { app, anyone, join, ask } = await mailApp(
        t,
        { name: '', options: () => auth as never },
        {
          auth: { passkeys: passkeyOptions({ store }) },
        },
      )
      const creator = await join('ada', { verified: false })
      const authenticator = device()
      await addPasskey(creator, authenticator)
      const token = await ask('reset', 'ada')
      answers(await anyone.post('/password/reset-confirm', { token, new_password: next }), 200)
      assert.deepEqual(await store.listByUser(1), [])
      refusesOwn(await passkeyLoginOf(app, authenticator), bad)
      answers(await new Client(app).login('ada', next), 200)
    })

    test('a former address that was never verified cannot undo the change of the address', async (t) => {
      const { auth, store } = await place.open(t)
      const passkeys = { passkeys: passkeyOptions({ store }) }
      const backend = { name: '', options: () => auth as never }
      const { anyone, join, move, row } = await mailApp(t, backend, { auth: passkeys })
      const owner = await join('ada', { verified: false })
      await addPasskey(owner, device())
      const token = await move(owner, 'ada@example.com', 'ada@home.example')
      const before = await row('ada')
      const undone = await anyone.post('/email/change-revert', { token })
      refusesOwn(undone, 'CRUDAUTH_TOKEN_INVALID_OR_USED')
      assert.deepEqual(await row('ada'), before)
      assert.equal((await passkeyIds(owner)).length, 1)
    })

    test('the verified owner at a provider removes them', async (t) => {
      const { auth, store } = await place.open(t)
      const users = memoryUsers({ fields })
      const { app } = await buildOAuth(t, {
        auth: { ...auth, users, passkeys: passkeyOptions({ store }) },
      })
      const creator = await browserOf(app, 'ada')
      const authenticator = device()
      await addPasskey(creator, authenticator)
      const waiting = await registrationOf(creator, device())
      const owner = new Browser(app)
      landsOn(await owner.signIn(ada), '/start')
      assert.equal((await owner.me()).user_id, 1)
      assert.deepEqual(await passkeyIds(owner), [])
      refusesOwn(await passkeyLoginOf(app, authenticator), bad)
      refusesOwn(await register(creator, waiting), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await register(owner, waiting), 'CRUDAUTH_PASSKEY_INVALID')
    })
  })

  describe(`${place.name}: passkeys of a verified account`, () => {
    test('stay at a reset, a password change, an email change and its revert', async (t) => {
      const { auth, store } = await place.open(t)
      const { app, anyone, join, ask, move } = await mailApp(
        t,
        { name: '', options: () => auth as never },
        { auth: { passkeys: passkeyOptions({ store }) } },
      )
      const client = await join('ada')
      client.csrf = answers(await client.login('ada'), 200).csrf_token
      const authenticator = device()
      await addPasskey(client, authenticator)
      const change = { current_password: password, new_password: next }
      answers(await client.post('/change-password', change), 200)
      answers(await passkeyLoginOf(app, authenticator), 200)
      const revert = await move(client, addressOf('ada'), 'thief@example.com', next)
      answers(await anyone.post('/email/change-revert', { token: revert }), 200)
      answers(await passkeyLoginOf(app, authenticator), 200)
      const token = await ask('reset', 'ada')
      answers(await anyone.post('/password/reset-confirm', { token, new_password: password }), 200)
      answers(await passkeyLoginOf(app, authenticator), 200)
      assert.equal((await store.listByUser(1)).length, 1)
    })
  })

  test(`${place.name}: deleteAccount removes them, and a later user of the id gets none`, async (t) => {
    const { auth, store } = await place.open(t)
    const { store: users, remake } = mortalUsers()
    const app = await buildPasskeys(t, { ...auth, users }, { store })
    const { client, authenticator } = await passkeyUser(app, 'ada')
    assert.equal((await client.post('/delete-account')).statusCode, 200)
    assert.deepEqual(await store.listByUser(1), [])
    // The app deletes a user without `deleteAccount`.
    await store.create(passkeyOf(1, authenticator, Date.now() - 120_000))
    await remake({ email: 'bob@example.com', username: 'bob', hashedPassword: '!' })
    refusesOwn(await passkeyLoginOf(app, authenticator), bad)
    assert.deepEqual(await app.crudAuth.passkeys.list({ id: 1 } as never), [])
  })
}

/** The passkey of an authenticator as it was stored before. */
function passkeyOf(userId: number, authenticator: ReturnType<typeof device>, createdMs: number) {
  const [credential] = authenticator.credentials
  assert.ok(credential)
  return {
    id: 'A'.repeat(22),
    userId,
    userHandle: credential.userHandle,
    credentialId: credential.id,
    publicKey: credential.key.cose.toString('base64url'),
    counter: 0,
    transports: ['internal'],
    aaguid: '00000000-0000-0000-0000-000000000000',
    name: 'Old',
    backedUp: false,
    createdAt: new Date(createdMs),
    lastUsedAt: null,
  }
}

for (const place of passkeysEverywhere) {
  test(`${place.name}: no passkey that is added during a takeover survives it`, async (t) => {
    const { auth, store } = await place.open(t)
    const users = memoryUsers({ fields })
    const { app } = await buildOAuth(t, {
      auth: { ...auth, users, passkeys: passkeyOptions({ store }) },
    })
    for (const name of times(10, (index) => `user${index}`)) {
      const creator = await browserOf(app, name)
      const { user_id } = await creator.me()
      const registrations = await Promise.all(times(5, () => registrationOf(creator, device())))
      const owner = new Browser(app)
      const query = await owner.begin()
      await Promise.all([
        owner.finish(query, { ...ada, sub: name, email: `${name}@example.com` }),
        ...registrations.map((registration) => register(creator, registration)),
      ])
      assert.equal((await owner.me())?.user_id, user_id)
      assert.deepEqual(await store.listByUser(user_id), [])
    }
  })
}

test('a passkey that is written right after the takeover goes again', async (t) => {
  const hooked = hookedPasskeys()
  const users = memoryUsers({ fields })
  const { app } = await buildOAuth(t, {
    auth: { users, passkeys: passkeyOptions({ store: hooked.store }) },
  })
  const creator = await browserOf(app, 'ada')
  const owner = new Browser(app)
  let isDone = false
  hooked.before = async (method) => {
    if (method !== 'create' || isDone) return
    isDone = true
    landsOn(await owner.signIn(ada), '/start')
  }
  const registration = await registrationOf(creator, device())
  refusesOwn(await register(creator, registration), 'CRUDAUTH_PASSKEY_INVALID')
  assert.deepEqual(await hooked.store.listByUser(1), [])
})

test('an outage right after a passkey was written leaves none behind', async (t) => {
  for (const failing of ['listByUser', 'findById'] as const) {
    const hooked = hookedPasskeys()
    const inner = memoryUsers()
    let isDown = false
    const users = {
      ...inner,
      findById: async (id: Parameters<typeof inner.findById>[0]) => {
        if (isDown && failing === 'findById') throw new Error('the database is away')
        return inner.findById(id)
      },
    }
    const told: unknown[] = []
    const hooks = { onPasskeyAdded: (user: unknown) => void told.push(user) }
    const app = await buildPasskeys(t, { users, hooks }, { store: hooked.store })
    const client = await signedIn(app, 'ada')
    const registration = await registrationOf(client, device())
    hooked.after = (method) => {
      if (method === 'create') isDown = true
    }
    hooked.before = (method) => {
      if (isDown && method === failing) throw new Error('the database is away')
    }
    refusesOwn(await register(client, registration), 'CRUDAUTH_UNAVAILABLE')
    isDown = false
    hooked.after = () => undefined
    assert.deepEqual(await hooked.store.listByUser(1), [], failing)
    assert.deepEqual(told, [])
  }
})
