import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import type { AuthClient } from '../../src/client/index.js'
import crudAuth, { bearerTransport, memoryUsers, sessionTransport } from '../../src/index.js'
import { cheap, password, secret } from '../helpers/build.js'
import { runExample } from './load.js'

const ada = { email: 'ada@example.com', username: 'ada', password }

test('prefixes guide: a session of one tenant does not authenticate at another', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  for (const name of ['ACME_SECRET', 'GLOBEX_SECRET']) {
    process.env[name] = `${secret}-${name}`
    t.after(() => delete process.env[name])
  }
  await runExample(t, 'tenants', { app })
  const cookies: Record<string, string> = {}
  for (const tenant of ['acme', 'globex']) {
    const registered = await app.inject({
      method: 'POST',
      url: `/${tenant}/register`,
      payload: ada,
    })
    assert.equal(registered.statusCode, 201)
    const login = await app.inject({ method: 'POST', url: `/${tenant}/login`, payload: ada })
    assert.ok(login.cookies.every(({ path }) => path === `/${tenant}`))
    cookies[tenant] = login.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  }
  const ask = async (tenant: string, cookie: string | undefined) =>
    (await app.inject({ url: `/${tenant}/dashboard`, headers: { cookie: cookie ?? '' } }))
      .statusCode
  assert.equal(await ask('acme', cookies.acme), 200)
  assert.equal(await ask('globex', cookies.globex), 200)
  assert.equal(await ask('globex', cookies.acme), 401)
  assert.equal(await ask('acme', cookies.globex), 401)
})

test('mobile guide: the client refreshes once for parallel requests, and signs out', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(crudAuth, {
    prefix: '/auth',
    secret,
    users: memoryUsers(),
    passwords: { cost: cheap },
    transports: [sessionTransport(), bearerTransport({ refresh: 'body', accessSeconds: 1 })],
  })
  let refreshes = 0
  app.addHook('onRequest', async ({ url }) => {
    if (url === '/auth/refresh') refreshes++
  })
  app.get('/notes', { onRequest: app.currentUser() }, async () => ['a note'])
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await app.inject({ method: 'POST', url: '/auth/register', payload: ada })

  const { createClient } = (await runExample(t, 'mobile-client', {})) as {
    createClient: (url: string, store: object, onSignedOut: () => void) => AuthClient
  }
  let stored: string | null = null
  let signedOut = 0
  const store = {
    load: async () => stored,
    save: async (text: string | null) => {
      stored = text
    },
  }
  const client = createClient(`${url}/auth`, store, () => signedOut++)
  // The clock moves only where the test moves it: a token of one second expires at no other time.
  const startMs = Date.now()
  let aheadMs = 0
  t.mock.method(Date, 'now', () => startMs + aheadMs)
  const wrong = client.login({ username: 'ada', password: 'wrong' })
  await assert.rejects(wrong, { code: 'CRUDAUTH_BAD_CREDENTIALS' })
  await client.login({ username: 'ada', password })
  assert.equal((await client.fetch('/notes')).status, 200)

  aheadMs = 5000
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.fetch('/notes')))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
  assert.equal(refreshes, 1)

  const { refreshToken } = JSON.parse(String(stored)) as { refreshToken: string }
  await client.logout()
  assert.equal(stored, null)
  aheadMs = 10_000
  assert.equal((await client.fetch('/notes')).status, 401)
  assert.equal(signedOut, 0)
  const again = await app.inject({
    method: 'POST',
    url: '/auth/refresh',
    payload: { refresh_token: refreshToken },
  })
  assert.equal(again.statusCode, 401)
})
