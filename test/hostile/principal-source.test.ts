import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { sessionTransport, type UserId, type UserStore, type UserValues } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { openUsers, sessionCookie } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const names = [
  'user_id',
  'userId',
  'sub',
  'id',
  'user',
  'uid',
  'username',
  'email',
  'principal',
  'session_id',
]

const sudoRoute = (app: FastifyInstance) => {
  app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
    await app.crudAuth.sudo.elevate(request, {
      password: (request.body as { password: string }).password,
    })
    return {}
  })
}

test('principal: user ids in the query, body and headers are ignored', async (t) => {
  const users = openUsers()
  const app = await build(t, { auth: { users: users.store }, routes: sudoRoute })
  const victim = await signedIn(app, 'victim')
  const mallory = await signedIn(app, 'mallory')
  const values: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, 1]))
  const query = `?${names.map((name) => `${name}=1`).join('&')}`
  const headers = Object.fromEntries(
    names.flatMap((name) => [
      [name, '1'],
      [`x-${name.replace('_', '-')}`, '1'],
    ]),
  )

  assert.equal((await mallory.get(`/me${query}`, { headers })).json().user_id, 2)
  assert.equal((await mallory.get(`/sessions${query}`, { headers })).json().length, 1)
  assert.equal(
    (await mallory.post(`/sudo${query}`, { ...values, password }, { headers })).statusCode,
    200,
  )
  const change = { ...values, current_password: password, new_password: 'a password of mallory' }
  assert.equal(
    (await mallory.post(`/change-password${query}`, change, { headers })).statusCode,
    200,
  )
  assert.equal((await mallory.post(`/logout-all${query}`, values, { headers })).json().revoked, 1)

  assert.equal((await victim.get('/me')).statusCode, 200)
  assert.equal((await new Client(app).login('victim')).statusCode, 200)
  refuses(await new Client(app).login('mallory'), 'CRUDAUTH_BAD_CREDENTIALS')
})

for (const backend of backends) {
  test(`${backend.name}: DELETE /sessions/:id: another user's handle gets the same 404 as an unknown one`, async (t) => {
    const app = await build(t, { auth: backend.options() })
    const victim = await signedIn(app, 'victim')
    const mallory = await signedIn(app, 'mallory')
    const [{ session_id: handle }] = (await victim.get('/sessions')).json()
    const theirs = await mallory.delete(`/sessions/${handle}`)
    const nobodys = await mallory.delete(`/sessions/${'A'.repeat(43)}`)
    refuses(theirs, 'CRUDAUTH_NOT_FOUND')
    refuses(nobodys, 'CRUDAUTH_NOT_FOUND')
    assert.equal(theirs.body, nobodys.body)
    assert.equal((await victim.get('/me')).statusCode, 200)
    for (const odd of [
      '',
      '.',
      '..',
      '%00',
      '%2e%2e%2f',
      '*',
      '1|',
      '__proto__',
      '%F0%9F%98%80',
      'x'.repeat(90),
    ]) {
      assert.equal((await mallory.delete(`/sessions/${odd}`)).statusCode, 404, odd)
    }
    assert.equal((await mallory.get('/sessions')).json().length, 1)
  })

  test(`${backend.name}: disabled account: sessions, sign-in, password changes and sudo are refused`, async (t) => {
    const users = openUsers()
    const app = await build(t, {
      auth: { ...backend.options(), users: users.store },
      routes: sudoRoute,
    })
    const client = await signedIn(app, 'ann')
    await users.store.update(1, { isActive: false })
    const before = await users.rows()

    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await client.get('/sessions'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await client.post('/csrf/refresh'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await client.post('/sudo', { password }), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await client.post('/logout-all'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(
      await client.post('/change-password', {
        current_password: password,
        new_password: 'another good one',
      }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    refuses(
      await client.post('/set-password', { new_password: 'another good one' }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    const right = await new Client(app).login('ann')
    const wrong = await new Client(app).login('ann', 'wrong')
    const unknown = await new Client(app).login('nobody')
    refuses(right, 'CRUDAUTH_BAD_CREDENTIALS', [password])
    assert.equal(right.body, wrong.body)
    assert.equal(right.body, unknown.body)
    assert.equal(right.headers['set-cookie'], undefined)
    assert.deepEqual(await users.rows(), before)
  })

  test(`${backend.name}: isActive: false, empty and unrecognized values all count as inactive`, async (t) => {
    for (const value of [
      false,
      null,
      0,
      0n,
      '0',
      'f',
      'false',
      '',
      'yes',
      2,
      Buffer.from([0]),
      {},
    ]) {
      const users = openUsers()
      const app = await build(t, {
        auth: { ...backend.options(), users: users.store, lockout: false },
      })
      const client = await signedIn(app, 'ann')
      await users.store.update(1, { isActive: value })
      refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      refuses(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    }
  })

  test(`${backend.name}: sessions: an account recreated with the same id inherits none`, async (t) => {
    for (const id of [1, 'u-1', 0, 7n] as UserId[]) {
      const table = oneRow(id)
      const app = await build(t, {
        auth: { ...backend.options(), users: table.store, lockout: false },
      })
      const first = await signedIn(app, 'ann')
      assert.equal((await first.get('/me')).statusCode, 200)
      const handle = (await first.get('/sessions')).json()[0].session_id
      table.remove()
      refuses(await first.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      const second = await signedIn(app, 'ann')
      refuses(await first.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      const listed = (await second.get('/sessions')).json() as { session_id: string }[]
      assert.equal(listed.length, 1, 'the old session is not listed')
      assert.notEqual(listed[0]?.session_id, handle)
    }
  })

  test(`${backend.name}: sessions: the ids 1, "1" and 1n are three different users`, async (t) => {
    const rows = new Map<UserId, UserValues>()
    const base = openUsers().store
    const ids: UserId[] = [1, '1', 1n]
    const store: UserStore = {
      ...base,
      findById: async (id) => rows.get(id) ?? null,
      findBy: async (field, value) =>
        [...rows.values()].find((row) => row[field] === value) ?? null,
      async create(values) {
        const id = ids[rows.size] as UserId
        rows.set(id, { ...values, id })
        return rows.get(id) as UserValues
      },
    }
    const app = await build(t, { auth: { ...backend.options(), users: store } })
    const clients: Client[] = []
    for (const name of ['number', 'text', 'bigint']) clients.push(await signedIn(app, name))
    for (const client of clients) assert.equal((await client.get('/sessions')).json().length, 1)
    assert.equal((await (clients[1] as Client).post('/logout-all')).json().revoked, 1)
    assert.equal((await (clients[0] as Client).get('/me')).json().username, 'number')
    assert.equal((await (clients[2] as Client).get('/me')).json().username, 'bigint')
  })
}

/** A table for a single row. Each new row gets the id of the previous one. */
function oneRow(id: UserId) {
  let row: UserValues | null = null
  const store: UserStore = {
    ...openUsers().store,
    findById: async (asked) => (asked === id && row ? { ...row } : null),
    findBy: async (field, value) => (row && row[field] === value ? { ...row } : null),
    async create(values) {
      row = { ...values, id }
      return { ...row }
    },
  }
  return {
    store,
    remove: () => {
      row = null
    },
  }
}

test('POST /change-password: ends other sessions even without a tokenVersion field', async (t) => {
  const users = openUsers({ fields: ['email', 'username', 'hashedPassword'] })
  const app = await build(t, {
    auth: { users: users.store, transports: [sessionTransport({ managementRoutes: true })] },
  })
  const one = await signedIn(app, 'ann')
  const two = new Client(app)
  await two.login('ann')
  const change = { current_password: password, new_password: 'another good one' }
  assert.equal((await one.post('/change-password', change)).statusCode, 200)
  assert.equal((await one.get('/me')).statusCode, 200)
  refuses(await two.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  assert.ok(two.cookies.has(sessionCookie))
})
