import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryUsers, sessionTransport } from '../../../src/index.js'
import { backends } from '../../helpers/backends.js'
import { build, cheap, password } from '../../helpers/build.js'
import { Client } from '../../helpers/client.js'
import { statuses, times } from '../../helpers/hostile.js'
import {
  backwards,
  interrupted,
  oldHash,
  otherHash,
  rowOf,
  signedInByHand,
} from '../../helpers/passwords.js'
import { refuses } from '../../helpers/refuses.js'
import { mountHandLogin } from '../../helpers/users.js'

const outdated = [
  ['a hash with another cost', otherHash],
  ['a legacy hash', async () => oldHash()],
] as const
const transports = [sessionTransport({ managementRoutes: true, maxSessionsPerUser: 1000 })]
const current = /^\$argon2id\$v=19\$m=64,t=1,p=1\$/

for (const backend of backends) {
  for (const [what, makeHash] of outdated) {
    const open = async (t: Parameters<typeof build>[0]) => {
      const users = interrupted(memoryUsers())
      const passwords = { cost: cheap, legacy: [backwards] }
      const auth = {
        ...backend.options(),
        users: users.store,
        lockout: false,
        transports,
        passwords,
      } as const
      const app = await build(t, { auth, routes: mountHandLogin })
      const hashedPassword = await makeHash()
      await users.store.create({ email: 'ann@example.com', username: 'ann', hashedPassword })
      return { app, users, hashedPassword }
    }

    test(`${backend.name}: POST /login: replacing ${what} keeps the user's other sessions`, async (t) => {
      const { app, users } = await open(t)
      const earlier = await signedInByHand(app, 'ann')
      const client = new Client(app)
      assert.equal((await client.login('ann')).statusCode, 200)
      assert.match(String((await rowOf(users.store, 'ann')).hashedPassword), current)
      for (const each of [earlier, client]) assert.equal((await each.get('/me')).statusCode, 200)
      assert.equal((await client.get('/sessions')).json().length, 2)
      // The new hash is current, so a second login doesn't replace it.
      assert.equal((await new Client(app).login('ann')).statusCode, 200)
      assert.equal(users.swaps.length, 1)
    })

    test(`${backend.name}: POST /login: 100 parallel logins with ${what} succeed and compute one new hash`, async (t) => {
      const { app, users } = await open(t)
      const earlier = await signedInByHand(app, 'ann')
      const clients = times(100, () => new Client(app))
      assert.deepEqual(statuses(await Promise.all(clients.map((client) => client.login('ann')))), {
        200: 100,
      })
      const { hashedPassword } = await rowOf(users.store, 'ann')
      assert.deepEqual(
        [...new Set(users.swaps.map((values) => values.hashedPassword))],
        [hashedPassword],
      )
      assert.ok(users.swaps.length > 1, 'the logins did not race')
      const me = await Promise.all([earlier, ...clients].map((client) => client.get('/me')))
      assert.deepEqual(statuses(me), { 200: 101 })
    })

    test(`${backend.name}: POST /login: sessions revoked while it replaces ${what} stay revoked, but the new one is valid`, async (t) => {
      const { app, users, hashedPassword } = await open(t)
      const earlier = await signedInByHand(app, 'ann')
      assert.equal((await earlier.get('/me')).statusCode, 200)
      users.around = {
        async before(id) {
          await users.store.update(id, { tokenVersion: 1 })
          return undefined
        },
      }
      const client = new Client(app)
      assert.equal((await client.login('ann')).statusCode, 200)
      assert.equal((await client.get('/me')).statusCode, 200)
      refuses(await earlier.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal((await client.get('/sessions')).json().length, 1)
      const row = await rowOf(users.store, 'ann')
      assert.equal(row.tokenVersion, 1)
      // This login lost the race and wrote no hash. A later login replaces the old one.
      assert.equal(row.hashedPassword, hashedPassword)
      users.around = {}
      assert.equal((await new Client(app).login('ann')).statusCode, 200)
      assert.match(String((await rowOf(users.store, 'ann')).hashedPassword), current)
      assert.equal((await client.get('/me')).statusCode, 200)
      refuses(await earlier.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test(`${backend.name}: POST /login: a password change while it replaces ${what} refuses the login`, async (t) => {
      const { app, users } = await open(t)
      const replaced = await otherHash('quite another password')
      users.around = {
        async before(id) {
          await users.store.update(id, { hashedPassword: replaced })
          return undefined
        },
      }
      refuses(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS', [password])
      assert.equal((await rowOf(users.store, 'ann')).hashedPassword, replaced)
    })
  }
}

test('POST /login: a rehash keeps the salt; replacing a legacy hash uses a salt per user', async (t) => {
  const users = memoryUsers()
  const app = await build(t, {
    auth: { users, lockout: false, passwords: { cost: cheap, legacy: [backwards] } },
  })
  const saltOf = async (name: string) =>
    String((await rowOf(users, name)).hashedPassword).split('$')[4]
  const replace = async (username: string, hashedPassword: string) => {
    await users.create({ email: `${username}@example.com`, username, hashedPassword })
    assert.equal((await new Client(app).login(username)).statusCode, 200)
    assert.match(String((await rowOf(users, username)).hashedPassword), current)
    return saltOf(username)
  }
  const hash = await otherHash()
  assert.equal(await replace('ann', hash), hash.split('$')[4])
  const [bob, eve] = [await replace('bob', oldHash()), await replace('eve', oldHash())]
  assert.notEqual(bob, eve)
})
