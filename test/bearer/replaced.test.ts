import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { times } from '../helpers/bearer.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const cookie = 'crudauth_refresh'
const wrong = 'wrong password'

for (const backend of backends) {
  test(`${backend.name}: POST /token: a new sign-in revokes the family of the refresh cookie it replaces`, async (t) => {
    const app = await build(t, {
      auth: {
        ...backend.options(),
        prefix: '/auth',
        lockout: false,
        transports: [bearerTransport()],
      },
    })
    const client = new Client(app)
    for (const name of ['ann', 'bob'])
      await client.post('/auth/register', {
        email: `${name}@example.com`,
        username: name,
        password,
      })
    const signIn = async (username: string, answer: string | null = password) =>
      (await client.post('/auth/token', { username, password: answer })).statusCode
    const refreshed = async (token: string) => {
      const headers = { cookie: `${cookie}=${token}` }
      return (await app.inject({ method: 'POST', url: '/auth/refresh', headers })).statusCode
    }
    assert.equal(await signIn('ann'), 200)
    const kept = client.cookies.get(cookie) ?? ''
    assert.equal(await signIn('ann', wrong), 401)
    assert.equal(client.cookies.get(cookie), kept)
    const stillWorks = await client.post('/auth/refresh')
    assert.equal(stillWorks.statusCode, 200, 'a failed sign-in revokes nothing')
    const first = client.cookies.get(cookie) ?? ''
    assert.equal(await signIn('ann'), 200)
    const second = client.cookies.get(cookie) ?? ''
    assert.equal(await refreshed(first), 401)
    assert.equal(await signIn('bob'), 200)
    const third = client.cookies.get(cookie) ?? ''
    assert.equal(await refreshed(second), 401)
    assert.equal(await refreshed(third), 200)
    // A malformed or revoked cookie does not prevent a sign-in.
    for (const stale of ['nonsense', first, second]) {
      client.cookies.set(cookie, stale)
      assert.equal(await signIn('ann'), 200)
      assert.equal(await refreshed(client.cookies.get(cookie) ?? ''), 200)
    }
    const signIns = await Promise.all(times(20, () => signIn('ann')))
    assert.deepEqual([...new Set(signIns)], [200])
  })
}
