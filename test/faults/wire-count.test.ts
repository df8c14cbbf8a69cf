import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely'
import Database from 'libsql'
import { sessionTransport } from '../../src/index.js'
import { cachedStatements, kyselyUsers } from '../../src/user-stores/kysely/index.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { countingProxy, serve, skip } from '../helpers/faults.js'
import { createUsersTable } from '../helpers/tables.js'

const transports = [
  sessionTransport({ managementRoutes: true, maxSessionsPerUser: Number.POSITIVE_INFINITY }),
]

test('Redis: round trips do not grow with the number of sessions of the user', {
  skip,
}, async (t) => {
  const server = await serve(t)
  const proxy = await countingProxy(t, server.port)
  const app = await build(t, {
    auth: { redis: proxy.url, transports },
    routes(app) {
      app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
        await app.crudAuth.sudo.elevate(request, { password: password })
        return {}
      })
      app.get(
        '/gates',
        {
          onRequest: [
            app.currentUser(),
            app.requireFresh,
            app.currentUser({ transport: 'session' }),
          ],
        },
        async () => ({}),
      )
    },
  })
  let client = await signedIn(app, 'ann')
  const each = async (): Promise<Record<string, number>> => {
    const again = new Client(app)
    const counts = {
      me: await proxy.of(() => client.get('/me')),
      gates: await proxy.of(() => client.get('/gates')),
      anonymous: await proxy.of(() => new Client(app).get('/me')),
      list: await proxy.of(() => client.get('/sessions')),
      login: await proxy.of(() => again.login('ann')),
      renewal: await proxy.of(() => again.login('ann')),
      wrong: await proxy.of(() => new Client(app).login('ann', 'wrong')),
      csrf: await proxy.of(() => client.post('/csrf/refresh')),
      sudo: await proxy.of(() => client.post('/sudo')),
      logout: await proxy.of(() => again.post('/logout')),
      logoutAll: await proxy.of(() => client.post('/logout-all')),
    }
    client = new Client(app)
    await client.login('ann')
    return counts
  }
  // On the first run Redis does not know the scripts.
  await each()
  const few = await each()
  assert.deepEqual(few, {
    me: 1,
    gates: 1,
    anonymous: 0,
    list: 2,
    login: 2,
    // The known device is looked up first.
    renewal: 3,
    wrong: 1,
    csrf: 1,
    sudo: 4,
    logout: 2,
    logoutAll: 2,
  })
  for (let i = 0; i < 200; i++)
    await app.crudAuth.sessions.create(
      { headers: {}, ip: '' } as never,
      (await app.crudAuth.users.findById(1)) as never,
    )
  assert.deepEqual(await each(), few)
})

test('user store: an authenticated request is one query, however many gates it passes', async (t) => {
  const queries: string[] = []
  const database = cachedStatements(new Database(':memory:') as unknown as SqliteDatabase)
  const db = new Kysely<Record<string, never>>({
    dialect: new SqliteDialect({ database }),
    log: ({ query }) => void queries.push(query.sql),
  })
  t.after(() => db.destroy())
  const table = await createUsersTable(db, 'sqlite')
  const app = await build(t, {
    auth: { users: kyselyUsers(db, table.options), transports },
    routes(app) {
      app.get('/own', { onRequest: app.currentUser() }, async (request) => ({
        id: request.principal.userId,
      }))
      app.get(
        '/gates',
        {
          onRequest: [app.currentUser(), app.requireFresh],
          preHandler: app.currentUser({ transport: 'session' }),
        },
        async () => ({}),
      )
      app.get('/optional', { onRequest: app.currentUser({ optional: true }) }, async () => ({}))
      app.get('/open', async () => ({}))
    },
  })
  const client = await signedIn(app, 'ann')
  const count = async (url: string, from = client) => {
    queries.length = 0
    assert.ok((await from.get(url)).statusCode < 402)
    return queries.length
  }
  for (const url of ['/me', '/own', '/gates', '/optional', '/sessions'])
    assert.equal(await count(url), 1, url)
  for (const url of ['/me', '/own', '/gates', '/optional'])
    assert.equal(await count(url, new Client(app)), 0, url)
  assert.equal(await count('/open'), 0)
  const posted = async (run: () => Promise<{ statusCode: number; body: string }>) => {
    queries.length = 0
    const response = await run()
    assert.equal(response.statusCode, 200, response.body)
    return queries.length
  }
  assert.equal(await posted(() => client.post('/csrf/refresh')), 1)
  assert.equal(await posted(() => client.post('/logout-all?keep_current=1')), 1)
  assert.equal(await posted(() => client.login('ann')), 1, 'a name is looked up once')
  assert.equal(
    await posted(() => client.login('ann@example.com')),
    2,
    'a possible email is looked up as email and as username',
  )
  const change = { current_password: password, new_password: 'another good one' }
  assert.equal(
    await posted(() => client.post('/change-password', change)),
    2,
    'one read and one compare-and-set',
  )
  assert.equal(await posted(() => client.post('/logout')), 1)
})
