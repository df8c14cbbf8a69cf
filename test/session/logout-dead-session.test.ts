import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { build } from '../helpers/build.js'

const dead = { cookie: `__Host-crudauth_session=${'a'.repeat(43)}.${'b'.repeat(22)}` }
const json = { 'content-type': 'application/json' }

test('POST /logout: without an active session no cookies are cleared, whatever the body', async (t) => {
  const app = await build(t, { auth: { transports: [sessionTransport(), bearerTransport()] } })
  const cases: [status: number, headers: object, body: string][] = [
    [401, {}, ''],
    [401, json, '{}'],
    [401, { cookie: '' }, ''],
    [400, json, '[]'],
    [400, json, '{'],
    [415, { 'content-type': 'text/plain' }, 'x'],
    [403, { ...json, origin: 'https://evil.example' }, '{}'],
  ]
  for (const [status, headers, payload] of cases) {
    const response = await app.inject({
      method: 'POST',
      url: '/logout',
      headers: { ...dead, ...headers },
      payload,
    })
    assert.equal(response.statusCode, status, response.body)
    // The browser may have signed in again in the meantime.
    assert.equal(response.headers['set-cookie'], undefined)
  }
})
