import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'
import { breakableUsers, type Verb } from '../helpers/users.js'

const driverText = 'relation "users" does not exist: SELECT hashed_password FROM /var/lib/db'
const change = { current_password: password, new_password: 'another good one' }

/** Requests that need the method. */
const asking: Record<Verb, (app: FastifyInstance, client: Client) => ReturnType<Client['get']>[]> =
  {
    findById: (_, client) => [
      client.get('/me'),
      client.get('/sessions'),
      client.post('/change-password', change),
      client.post('/logout'),
      client.post('/logout-all'),
      client.post('/csrf/refresh'),
    ],
    findBy: (app) => [
      new Client(app).login('ann'),
      new Client(app).login('ann', 'wrong'),
      new Client(app).login('ann@example.com'),
      new Client(app).login('nobody'),
    ],
    create: (app) => [new Client(app).register('bob'), new Client(app).register('ann')],
    compareAndSet: (_, client) => [client.post('/change-password', change)],
  }

const failures: Record<string, () => unknown> = {
  rejects: () =>
    Promise.reject(Object.assign(new Error(driverText), { code: '42P01', statusCode: 418 })),
  'throws synchronously': () => {
    throw new Error(driverText)
  },
  'rejects with undefined': () => Promise.reject(undefined),
  'rejects with a string': () => Promise.reject(driverText),
  hangs: () => new Promise(() => {}),
  'rejects after the timeout': () =>
    new Promise((_, reject) => setTimeout(() => reject(new Error(driverText)), 120)),
  'returns a number instead of a promise': () => 7,
}

for (const [what, fault] of Object.entries(failures)) {
  for (const verb of Object.keys(asking) as Verb[]) {
    test(`user store: if ${verb} ${what}, requests are 503 without details and work afterwards`, async (t) => {
      noUnhandledRejections(t)
      const users = breakableUsers()
      const { lines, logger } = captureLogs('error')
      const app = await build(t, {
        fastify: { logger: { level: logger.level, stream: logger.stream } },
        auth: { users: users.store, timeouts: { usersMs: 60 } },
      })
      const client = await signedIn(app, 'ann')
      const row = await users.inner.findById(1)
      users.broken[verb] = fault
      for (const response of await Promise.all(asking[verb](app, client))) {
        refuses(response, 'CRUDAUTH_UNAVAILABLE', [
          driverText,
          'relation',
          'SELECT',
          '42P01',
          '418',
          password,
        ])
        assert.equal(response.headers['set-cookie'], undefined)
      }
      assert.deepEqual(await users.inner.findById(1), row)
      // Late results are ignored.
      await new Promise((resolve) => setTimeout(resolve, 100))
      delete users.broken[verb]
      for (const line of lines) assert.ok(!line.includes(password))
      assert.equal((await client.get('/me')).statusCode, 200)
      assert.equal((await new Client(app).login('ann')).statusCode, 200)
      assert.equal((await new Client(app).register('zoe')).statusCode, 201)
      assert.equal((await client.post('/change-password', change)).statusCode, 200)
    })
  }
}

const garbage: Record<string, unknown> = {
  undefined: undefined,
  'a number': 7,
  true: true,
  'a string': 'ann',
  'an empty string': '',
  'an array': [],
  'an array with a row': [{ id: 1 }],
  'an empty object': {},
  'a row without an id': {
    email: 'ann@example.com',
    username: 'ann',
    hashedPassword: 'x',
    isActive: true,
  },
  'a row whose id is an object': {
    id: {},
    email: 'ann@example.com',
    username: 'ann',
    hashedPassword: 'x',
    isActive: true,
  },
  'a row whose id is null': {
    id: null,
    email: 'ann@example.com',
    username: 'ann',
    hashedPassword: 'x',
    isActive: true,
  },
  'a function': () => {},
}

for (const [what, value] of Object.entries(garbage)) {
  test(`user store: a method that returns ${what} is 401 or 503 and changes nothing`, async (t) => {
    noUnhandledRejections(t)
    const users = breakableUsers()
    const app = await build(t, { auth: { users: users.store } })
    const client = await signedIn(app, 'ann')
    const row = await users.inner.findById(1)
    let cookies = [...client.cookies]
    for (const verb of ['findById', 'findBy', 'create', 'compareAndSet'] as const) {
      // For `compareAndSet` this is a valid result.
      if (verb === 'compareAndSet' && value === true) continue
      users.broken[verb] = async () => value
      for (const response of await Promise.all(asking[verb](app, client))) {
        const text = `${verb}: ${response.statusCode} ${response.body}`
        assert.ok([401, 503].includes(response.statusCode), text)
        if (verb === 'create' || verb === 'compareAndSet')
          assert.equal(response.statusCode, 503, text)
        assert.doesNotMatch(response.body, /TypeError|undefined|Cannot read/)
      }
      delete users.broken[verb]
      assert.deepEqual(await users.inner.findById(1), row)
      // If the store finds no user, the session has ended. Otherwise only the cookies were cleared.
      if (value === undefined && verb === 'findById') {
        await client.login('ann')
        cookies = [...client.cookies]
      }
      for (const [name, cookie] of cookies) client.cookies.set(name, cookie)
    }
    assert.equal((await client.get('/me')).statusCode, 200)
  })
}

test('user store: a row with another id does not authenticate, even with the same password hash', async (t) => {
  const users = breakableUsers()
  const app = await build(t, { auth: { users: users.store } })
  const client = await signedIn(app, 'ann')
  const row = await users.inner.findById(1)
  for (const id of [2, '1', 1n]) {
    users.broken.findById = async () => ({ ...row, id })
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    // The user seems to be deleted, so the session has ended.
    await client.login('ann')
  }
  users.broken.findById = async () => ({ ...row })
  assert.equal((await client.get('/me')).statusCode, 200)
})
