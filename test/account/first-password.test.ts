import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client } from '../helpers/client.js'
import { interrupted, rowOf, signedInByHand } from '../helpers/passwords.js'
import { refuses } from '../helpers/refuses.js'
import { mountHandLogin } from '../helpers/users.js'

const next = 'a first good password'

for (const backend of backends) {
  /** A user without a password, with a session as a provider sign-in would create it. */
  const open = async (t: TestContext) => {
    const users = interrupted(memoryUsers())
    const app = await build(t, {
      auth: { ...backend.options(), users: users.store },
      routes: mountHandLogin,
    })
    await users.store.create({
      email: 'ann@example.com',
      username: 'ann',
      hashedPassword: app.crudAuth.passwords.unusable(),
      isActive: true,
      tokenVersion: 0,
    })
    const caller = await signedInByHand(app, 'ann')
    return {
      app,
      users,
      set: () => caller.post('/set-password', { new_password: next }),
      row: () => rowOf(users.store, 'ann'),
    }
  }

  test(`${backend.name}: POST /set-password: gets 401 if token_version is raised before the write`, async (t) => {
    const { app, users, set, row } = await open(t)
    const { hashedPassword } = await row()
    users.around = {
      async before(id) {
        await users.store.update(id, { tokenVersion: 7 })
        return undefined
      },
    }
    refuses(await set(), 'CRUDAUTH_UNAUTHENTICATED', [next])
    const now = await row()
    assert.deepEqual(
      [now.hashedPassword, now.tokenVersion, users.swaps.length],
      [hashedPassword, 7, 1],
    )
    refuses(await new Client(app).login('ann', next), 'CRUDAUTH_BAD_CREDENTIALS')
    users.around = {}
    refuses(await set(), 'CRUDAUTH_UNAUTHENTICATED', [next])
  })

  test(`${backend.name}: POST /set-password: a first password that loses the race gets CRUDAUTH_PASSWORD_EXISTS`, async (t) => {
    const { app, users, set, row } = await open(t)
    const hashedPassword = await app.crudAuth.passwords.hash('the password that won')
    users.around = {
      async before(id) {
        await users.store.update(id, { hashedPassword, tokenVersion: 1 })
        return undefined
      },
    }
    refuses(await set(), 'CRUDAUTH_PASSWORD_EXISTS', [next])
    assert.equal((await row()).hashedPassword, hashedPassword)
  })

  test(`${backend.name}: POST /set-password: without a race the first password is set`, async (t) => {
    const { app, set } = await open(t)
    assert.equal((await set()).statusCode, 200)
    assert.equal((await new Client(app).login('ann', next)).statusCode, 200)
  })
}
