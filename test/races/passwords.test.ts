import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LegacyVerifier, sessionTransport, type UserStore } from '../../src/index.js'
import { build, cheap, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { places } from '../helpers/races.js'
import { refuses } from '../helpers/refuses.js'
import { mountHandLogin } from '../helpers/users.js'

const transports = [sessionTransport({ managementRoutes: true, maxSessionsPerUser: 1000 })]

for (const { name, options } of places) {
  test(`${name}: POST /change-password: of 100 parallel changes by one session exactly one wins`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...(await options(t)), lockout: false, transports } })
    const caller = await signedIn(app, 'ann')
    const others = times(3, () => new Client(app))
    for (const client of others) await client.login('ann')
    const next = times(100, (i) => `the next password ${i}`)
    const responses = await Promise.all(
      next.map((new_password) =>
        caller.post('/change-password', { current_password: password, new_password }),
      ),
    )
    const seen = statuses(responses)
    assert.deepEqual(seen, { 200: 1, 401: 99 })
    for (const response of responses) {
      if (response.statusCode === 401)
        assert.ok(/WRONG_PASSWORD|UNAUTHENTICATED/.test(response.json().code))
    }
    const winner = responses.findIndex(({ statusCode }) => statusCode === 200)
    assert.equal((await caller.get('/me')).statusCode, 200, "the caller's session is valid")
    for (const client of others) refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    const logins = await Promise.all(next.map((secret) => new Client(app).login('ann', secret)))
    assert.deepEqual(statuses(logins), { 200: 1, 401: 99 })
    assert.equal(logins[winner]?.statusCode, 200)
  })

  test(`${name}: POST /change-password: of 20 parallel sessions one wins and keeps its session`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...(await options(t)), lockout: false, transports } })
    await new Client(app).register('ann')
    const clients = times(20, () => new Client(app))
    for (const client of clients) await client.login('ann')
    const responses = await Promise.all(
      clients.map((client, i) =>
        client.post('/change-password', {
          current_password: password,
          new_password: `the next password ${i}`,
        }),
      ),
    )
    assert.deepEqual(statuses(responses), { 200: 1, 401: 19 })
    const me = await Promise.all(clients.map((client) => client.get('/me')))
    assert.deepEqual(
      me.map(({ statusCode }) => statusCode),
      responses.map(({ statusCode }) => statusCode),
    )
    assert.equal(
      (
        await (clients[me.findIndex(({ statusCode }) => statusCode === 200)] as Client).get(
          '/sessions',
        )
      ).json().length,
      1,
    )
  })

  test(`${name}: POST /change-password: requests of the caller that overlap it stay signed in`, async (t) => {
    const auth = { ...(await options(t)), lockout: false, transports } as const
    const inner = auth.users as UserStore
    let meanwhile: (() => Promise<unknown>) | null = null
    const users: UserStore = {
      ...inner,
      async findById(id) {
        const first = meanwhile
        meanwhile = null
        await first?.()
        return inner.findById(id)
      },
    }
    const app = await build(t, { auth: { ...auth, users } })
    const caller = await signedIn(app, 'ann')
    const other = new Client(app)
    await other.login('ann')
    const change = (from: string, to: string) => async () => {
      const sent = { current_password: from, new_password: to }
      assert.equal((await caller.post('/change-password', sent)).statusCode, 200)
    }
    // The session was read before the change, the user after it.
    meanwhile = change(password, 'another good one')
    assert.equal((await caller.get('/me')).statusCode, 200)
    await other.login('ann', 'another good one')
    meanwhile = change('another good one', 'yet another good one')
    refuses(await other.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test(`${name}: POST /change-password: 100 parallel requests of the caller stay signed in`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...(await options(t)), lockout: false, transports } })
    const caller = await signedIn(app, 'ann')
    const sent = { current_password: password, new_password: 'another good one' }
    let changed: Promise<{ statusCode: number }> | undefined
    const answers = await Promise.all(
      times(100, async (i) => {
        // Some before the change, some beside it, some after it.
        await new Promise((resolve) => setTimeout(resolve, i))
        if (i === 20) changed = caller.post('/change-password', sent)
        return caller.get('/me')
      }),
    )
    assert.equal((await changed)?.statusCode, 200)
    assert.deepEqual(statuses(answers), { 200: 100 })
  })

  test(`${name}: POST /change-password: parallel logins leave no session of the old password`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, { auth: { ...(await options(t)), lockout: false, transports } })
    const caller = await signedIn(app, 'ann')
    const clients = times(60, () => new Client(app))
    let changed: Promise<{ statusCode: number }> | undefined
    const logins = await Promise.all(
      clients.map((client, i) => {
        const login = client.login('ann')
        if (i === 20)
          changed = caller.post('/change-password', {
            current_password: password,
            new_password: 'another good one',
          })
        return login
      }),
    )
    assert.equal((await changed)?.statusCode, 200)
    const seen = statuses(logins)
    assert.equal((seen[200] ?? 0) + (seen[401] ?? 0), 60)
    assert.deepEqual(statuses(await Promise.all(clients.map((client) => client.get('/me')))), {
      401: 60,
    })
    assert.equal((await caller.get('/me')).statusCode, 200)
    assert.equal((await caller.get('/sessions')).json().length, 1)
  })

  test(`${name}: POST /set-password: of 100 parallel requests exactly one wins`, async (t) => {
    noUnhandledRejections(t)
    const auth = { ...(await options(t)), lockout: false, transports } as const
    const app = await build(t, { auth, routes: mountHandLogin })
    const user = {
      email: 'ann@example.com',
      username: 'ann',
      hashedPassword: app.crudAuth.passwords.unusable(),
    }
    await (auth.users as UserStore).create(user)
    const caller = new Client(app)
    caller.csrf = (await caller.post('/by-hand/ann')).json().csrf_token
    const next = times(100, (i) => `the first password ${i}`)
    const responses = await Promise.all(
      next.map((new_password) => caller.post('/set-password', { new_password })),
    )
    const seen = statuses(responses)
    assert.equal(seen[200], 1)
    assert.equal((seen[400] ?? 0) + (seen[401] ?? 0), 99, JSON.stringify(seen))
    assert.equal((await caller.get('/me')).statusCode, 200)
    const logins = await Promise.all(next.map((secret) => new Client(app).login('ann', secret)))
    assert.deepEqual(statuses(logins), { 200: 1, 401: 99 })
    assert.deepEqual(
      logins.findIndex(({ statusCode }) => statusCode === 200),
      responses.findIndex(({ statusCode }) => statusCode === 200),
    )
  })

  test(`${name}: POST /login: 100 parallel logins upgrade a legacy hash once and keep every session`, async (t) => {
    noUnhandledRejections(t)
    const verifier: LegacyVerifier = {
      matches: (hash) => hash.startsWith('old:'),
      verify: (hash, given) => hash === `old:${[...given].reverse().join('')}`,
    }
    const auth = {
      ...(await options(t)),
      lockout: false,
      transports,
      passwords: { cost: cheap, legacy: [verifier] },
    } as const
    const inner = auth.users as UserStore
    const replaced: unknown[] = []
    const users: UserStore = {
      ...inner,
      async compareAndSet(id, expected, values) {
        const done = await inner.compareAndSet(id, expected, values)
        if (done) replaced.push(values.hashedPassword)
        return done
      },
    }
    const app = await build(t, { auth: { ...auth, users }, routes: mountHandLogin })
    const hashedPassword = `old:${[...password].reverse().join('')}`
    const row = await users.create({ email: 'ann@example.com', username: 'ann', hashedPassword })
    // A session from before the hash is replaced.
    const earlier = new Client(app)
    earlier.csrf = (await earlier.post('/by-hand/ann')).json().csrf_token
    assert.equal((await earlier.get('/me')).statusCode, 200)

    const clients = times(100, () => new Client(app))
    assert.deepEqual(statuses(await Promise.all(clients.map((client) => client.login('ann')))), {
      200: 100,
    })
    assert.equal(replaced.length, 1)
    const id = (row as { id: number }).id
    const stored = (await users.findById(id)) as Record<string, unknown>
    // A memory row has the name of the field, a row of a table that of its column.
    assert.equal(stored.hashed_password ?? stored.hashedPassword, replaced[0])
    assert.match(String(replaced[0]), /^\$argon2id\$/)
    assert.deepEqual(
      statuses(await Promise.all([...clients, earlier].map((client) => client.get('/me')))),
      { 200: 101 },
    )
    refuses(await new Client(app).login('ann', hashedPassword), 'CRUDAUTH_BAD_CREDENTIALS')
  })
}
