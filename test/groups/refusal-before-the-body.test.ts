import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backends } from '../helpers/backends.js'
import { build } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'

/** Bodies that no route accepts, with the status that an authorized caller gets. */
const bodies = [
  { status: 400, payload: '{"a":', headers: { 'content-type': 'application/json' } },
  {
    status: 400,
    payload: Buffer.from([0x22, 0xff, 0x22]),
    headers: { 'content-type': 'application/json' },
  },
  { status: 415, payload: 'hello', headers: { 'content-type': 'text/plain' } },
  {
    status: 413,
    payload: `"${'a'.repeat(20_000)}"`,
    headers: { 'content-type': 'application/json' },
  },
] as const

for (const backend of backends) {
  const open = (t: Parameters<typeof build>[0]) => build(t, { auth: backend.options() })

  test(`${backend.name}: /logout and /csrf/refresh: 401 without a session, whatever the body`, async (t) => {
    const app = await open(t)
    const stale = await signedIn(app, 'ann')
    const cookies = new Map(stale.cookies)
    assert.equal((await stale.post('/logout')).statusCode, 200)
    for (const { payload, headers } of bodies) {
      for (const url of ['/logout', '/csrf/refresh']) {
        for (const held of [new Map<string, string>(), cookies]) {
          const client = new Client(app)
          for (const [name, value] of held) client.cookies.set(name, value)
          const response = await client.request('POST', url, { payload, headers })
          refuses(response, 'CRUDAUTH_UNAUTHENTICATED')
          assert.equal(response.headers['set-cookie'], undefined)
        }
      }
    }
  })

  test(`${backend.name}: POST /logout: 403 without the CSRF header, whatever the body`, async (t) => {
    const app = await open(t)
    const client = await signedIn(app, 'ann')
    const { csrf } = client
    for (const { payload, headers, status } of bodies) {
      client.csrf = null
      const response = await client.request('POST', '/logout', { payload, headers })
      refuses(response, 'CRUDAUTH_CSRF')
      assert.equal(response.headers['set-cookie'], undefined)
      // Only an authorized caller learns what is wrong with the body. The session stays valid.
      client.csrf = csrf
      assert.equal(
        (await client.request('POST', '/logout', { payload, headers })).statusCode,
        status,
      )
      assert.equal(
        (await client.request('POST', '/csrf/refresh', { payload, headers })).statusCode,
        status,
      )
    }
    assert.equal((await client.get('/me')).statusCode, 200)
    assert.equal((await client.post('/logout')).statusCode, 200)
    refuses(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })
}
