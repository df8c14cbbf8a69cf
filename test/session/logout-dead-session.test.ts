import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { setCookies } from '../helpers/answers.js'
import { build } from '../helpers/build.js'

const session = ['__Host-crudauth_csrf', '__Host-crudauth_session']
const dead = { cookie: `__Host-crudauth_session=${'a'.repeat(43)}.${'b'.repeat(22)}` }
const json = { 'content-type': 'application/json' }

test('/logout clears the cookies of a session that has ended, whatever the body, beside bearer tokens too', async (t) => {
  const app = await build(t, { auth: { transports: [sessionTransport(), bearerTransport()] } })
  const cases: [status: number, headers: object, body: string, cleared: string[]][] = [
    [401, {}, '', [...session, '__Host-crudauth_refresh']],
    [401, json, '{}', [...session, '__Host-crudauth_refresh']],
    [401, { cookie: '' }, '', [...session, '__Host-crudauth_refresh']],
    [400, json, '[]', session],
    [400, { ...json, cookie: '' }, '[]', []],
    [400, json, '{', session],
    [415, { 'content-type': 'text/plain' }, 'x', session],
    // Not by a foreign page.
    [403, { ...json, origin: 'https://evil.example' }, '{}', []],
  ]
  for (const [status, headers, payload, cleared] of cases) {
    const response = await app.inject({
      method: 'POST',
      url: '/logout',
      headers: { ...dead, ...headers },
      payload,
    })
    assert.equal(response.statusCode, status, response.body)
    assert.deepEqual(Object.keys(setCookies(response)).sort(), cleared.sort())
    assert.equal([response.headers['set-cookie'] ?? []].flat().length, cleared.length, 'each once')
  }
})
