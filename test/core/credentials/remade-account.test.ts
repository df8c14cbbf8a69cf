import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers, type UserStore } from '../../../src/index.js'
import { backends } from '../../helpers/backends.js'
import { build } from '../../helpers/build.js'
import { rowOf, signedInByHand } from '../../helpers/passwords.js'
import { refuses } from '../../helpers/refuses.js'
import { mountHandLogin } from '../../helpers/users.js'

for (const backend of backends) {
  for (const [what, hash] of [
    ['without a hash', () => null],
    ['with an unusable hash', () => `!${Math.random()}`],
  ] as const) {
    test(`${backend.name}: sessions: an account ${what} that reuses a deleted id inherits none`, async (t) => {
      // Ids can be reused: by SQLite or MariaDB after the last row is deleted, or by the app.
      let inner = memoryUsers()
      const users: UserStore = {
        ...inner,
        findById: (id) => inner.findById(id),
        findBy: (field, value) => inner.findBy(field, value),
      }
      const app = await build(t, { auth: { ...backend.options(), users }, routes: mountHandLogin })
      const account = (username: string, createdAt: string) =>
        inner.create({
          id: 1,
          email: `${username}@example.com`,
          username,
          hashedPassword: hash(),
          createdAt: new Date(createdAt),
        })
      await account('ann', '2026-01-01T00:00:00Z')
      const ann = await signedInByHand(app, 'ann')
      assert.equal((await ann.get('/me')).json().username, 'ann')

      inner = memoryUsers()
      await account('bob', '2026-01-01T00:00:01Z')
      assert.equal((await rowOf(users, 'bob')).id, 1)
      refuses(await ann.get('/me'), 'CRUDAUTH_UNAUTHENTICATED', ['bob'])
      refuses(await ann.get('/sessions'), 'CRUDAUTH_UNAUTHENTICATED')
      const bob = await signedInByHand(app, 'bob')
      assert.equal((await bob.get('/me')).json().username, 'bob')
      assert.equal((await bob.get('/sessions')).json().length, 1)
    })
  }
}
