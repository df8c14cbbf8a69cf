import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { memoryUsers } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { interrupted, otherHash, rowOf } from '../helpers/passwords.js'
import { refuses } from '../helpers/refuses.js'

const next = 'another good password'

for (const backend of backends) {
  const open = async (t: Parameters<typeof build>[0]) => {
    const users = interrupted(memoryUsers())
    const app = await build(t, {
      auth: { ...backend.options(), users: users.store, lockout: false },
    })
    const caller = await signedIn(app, 'ann')
    const other = new Client(app)
    await other.login('ann')
    const change = () =>
      caller.post('/change-password', { current_password: password, new_password: next })
    return { app, users, caller, other, change, row: () => rowOf(users.store, 'ann') }
  }
  const status = async (client: Client) => (await client.get('/me')).statusCode

  test(`${backend.name}: POST /change-password: never lowers a token_version raised concurrently`, async (t) => {
    const { app, users, caller, other, change, row } = await open(t)
    let raised = false
    users.around = {
      async before(id) {
        if (!raised) await users.store.update(id, { tokenVersion: 7 })
        raised = true
        return undefined
      },
    }
    assert.equal((await change()).statusCode, 200)
    assert.equal(users.swaps.length, 2)
    assert.equal((await row()).tokenVersion, 8)
    assert.deepEqual([await status(caller), await status(other)], [200, 401])
    refuses(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    assert.equal((await new Client(app).login('ann', next)).statusCode, 200)
  })

  test(`${backend.name}: POST /change-password: gives up without writing if token_version keeps changing`, async (t) => {
    const { app, users, change, row } = await open(t)
    const { hashedPassword } = await row()
    let version = 0
    users.around = {
      async before(id) {
        version += 10
        await users.store.update(id, { tokenVersion: version })
        return undefined
      },
    }
    refuses(await change(), 'CRUDAUTH_WRONG_PASSWORD', [password, next])
    const { hashedPassword: now, tokenVersion } = await row()
    assert.deepEqual([now, tokenVersion], [hashedPassword, version])
    assert.ok(users.swaps.length > 1 && users.swaps.length <= 10)
    assert.equal((await new Client(app).login('ann')).statusCode, 200)
  })

  test(`${backend.name}: POST /change-password: a change that loses the race gets 401 and writes nothing`, async (t) => {
    const { app, users, change, row } = await open(t)
    const hashedPassword = await otherHash('the password that won')
    users.around = {
      async before(id) {
        await users.store.update(id, { hashedPassword, tokenVersion: 1 })
        return undefined
      },
    }
    refuses(await change(), 'CRUDAUTH_WRONG_PASSWORD', [password, next])
    const now = await row()
    assert.deepEqual([now.hashedPassword, now.tokenVersion], [hashedPassword, 1])
    refuses(await new Client(app).login('ann', next), 'CRUDAUTH_BAD_CREDENTIALS')
  })

  test(`${backend.name}: POST /change-password: the caller stays signed in throughout, other sessions end`, async (t) => {
    const { users, caller, other, change } = await open(t)
    const seen: number[][] = []
    const look = async () => void seen.push([await status(caller), await status(other)])
    users.around = {
      async before() {
        await look()
        return undefined
      },
      after: look,
    }
    let changing = true
    const meanwhile: number[] = []
    const watch = async () => {
      while (changing) {
        meanwhile.push(await status(caller))
        await nextTurn()
      }
    }
    const watching = [watch(), watch(), watch()]
    const response = await change()
    changing = false
    await Promise.all(watching)
    assert.equal(response.statusCode, 200)
    await look()
    assert.deepEqual(seen, [
      [200, 200],
      [200, 401],
      [200, 401],
    ])
    assert.deepEqual([...new Set(meanwhile)], [200])
    assert.equal((await caller.get('/sessions')).json().length, 1)
  })

  for (const [what, fail, code] of [
    ['loses the race', async () => false, 'CRUDAUTH_WRONG_PASSWORD'],
    ['fails', () => Promise.reject(new Error('the database is gone')), 'CRUDAUTH_UNAVAILABLE'],
  ] as const) {
    test(`${backend.name}: POST /change-password: a write that ${what} ends no session; a retry ends the others`, async (t) => {
      const { app, users, caller, other, change, row } = await open(t)
      const before = await row()
      users.around = { before: fail }
      refuses(await change(), code, [password, next])
      assert.deepEqual(await row(), before)
      assert.deepEqual([await status(caller), await status(other)], [200, 200])
      assert.equal((await new Client(app).login('ann')).statusCode, 200)
      users.around = {}
      assert.equal((await change()).statusCode, 200)
      assert.deepEqual([await status(caller), await status(other)], [200, 401])
    })
  }
}
