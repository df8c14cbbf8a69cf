import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { AuthError, createAuthClient } from '../../src/client/index.js'
import { bearerTransport } from '../../src/index.js'
import { ada, clientOf, codeOf, credentials, json, listen, signedIn } from './setup.js'

const bearer = { transport: 'bearer' } as const

/** A server on another origin that tells what it received. */
async function foreign(t: TestContext) {
  const server = createServer((request, response) => response.end(JSON.stringify(request.headers)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('fetch of the client', () => {
  test('paths resolve against the origin of baseUrl', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await signedIn(url)
    for (const path of ['/notes', 'notes', `${url}/notes`, new URL('/notes', url)])
      assert.equal((await auth.fetch(path)).status, 200)
    assert.equal(device.count('/notes'), 4)
    const slash = createAuthClient({ baseUrl: `${url}/auth/`, fetch: device.fetch })
    assert.ok(await slash.me())
    assert.throws(() => createAuthClient({ baseUrl: '/auth' }), TypeError, 'Node needs a URL')
  })

  test('other origins get neither token nor header nor cookies', async (t) => {
    const { url } = await listen(t)
    const other = await foreign(t)
    for (const options of [{}, bearer]) {
      const { auth } = await signedIn(url, options)
      for (const target of [other, other.replace('http:', ''), `\\\\${new URL(other).host}`]) {
        const response = await auth.fetch(target, json({}))
        const headers = (await response.json()) as Record<string, string>
        for (const name of ['authorization', 'x-csrf-token', 'cookie'])
          assert.equal(headers[name], undefined, `${name} at ${target}`)
      }
    }
  })

  test('a 401 of another origin does not sign out', async (t) => {
    const { url } = await listen(t)
    const { auth, device, takeEvents } = await signedIn(url)
    const body = JSON.stringify({ code: 'CRUDAUTH_UNAUTHENTICATED' })
    device.intercept = async () => new Response(body, { status: 401 })
    assert.equal((await auth.fetch('https://other.example/x')).status, 401)
    assert.deepEqual(takeEvents(), [])
  })

  test('own headers stay', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await signedIn(url)
    await auth.fetch('/public', { method: 'POST', headers: { 'x-own': '1' } })
    assert.equal(device.headers.get('x-own'), '1')
    assert.ok(device.headers.get('x-csrf-token'))
  })

  test('streams are sent once, with the token, and not repeated', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await signedIn(url)
    const refused = JSON.stringify({ code: 'CRUDAUTH_CSRF' })
    device.intercept = async (path, send) =>
      path === '/notes' ? new Response(refused, { status: 403 }) : send()
    const blob = new Blob(['text'])
    const bodies: [unknown, number][] = [
      [blob.stream(), 1],
      [(async function* () {})(), 1],
      [blob, 2],
      ['text', 2],
      [new FormData(), 2],
    ]
    for (const [body, count] of bodies) {
      device.requests.length = 0
      const init = { method: 'POST', body, duplex: 'half' } as RequestInit
      assert.equal(await codeOf(await auth.fetch('/notes', init)), 'CRUDAUTH_CSRF')
      assert.equal(device.count('/notes'), count)
      assert.equal(device.count('/auth/csrf/refresh'), 1, 'the next request has a new token')
    }
  })

  test('a stream is not repeated for sudo mode, and nobody is asked', async (t) => {
    const { url } = await listen(t)
    let asked = 0
    const { auth, device } = await signedIn(url, { onSudoRequired: () => ++asked > 0 })
    const refused = JSON.stringify({ code: 'CRUDAUTH_SUDO_REQUIRED' })
    device.intercept = async () => new Response(refused, { status: 403 })
    const body = new Blob(['text']).stream()
    await auth.fetch('/notes', { method: 'POST', body, duplex: 'half' } as RequestInit)
    assert.equal(asked, 0)
  })

  test('the body of a response is not read, unless it is a refusal', async (t) => {
    const { url } = await listen(t, { transports: [bearerTransport({ refresh: 'body' })] })
    const { auth, device } = await signedIn(url, bearer)
    let cloned = 0
    let round = 0
    device.intercept = async (path, send) => {
      if (path !== '/notes') return send()
      if (round++ === 0) return new Response('{"code":"CRUDAUTH_INVALID_TOKEN"}', { status: 401 })
      const response = await send()
      t.mock.method(response, 'clone', () => {
        cloned++
        return response
      })
      return response
    }
    assert.deepEqual(await (await auth.fetch('/notes')).json(), ['a note'])
    assert.equal(cloned, 0)
  })

  test('a refusal can still be read by the caller', async (t) => {
    const { url } = await listen(t)
    const { auth } = clientOf(url)
    assert.equal(await codeOf(await auth.fetch('/notes')), 'CRUDAUTH_UNAUTHENTICATED')
  })
})

describe('AuthError', () => {
  test('has code, status and the message of the server', async (t) => {
    const { url } = await listen(t)
    const { auth } = clientOf(url)
    const error = await auth.register({ ...ada, email: 'x' }).catch((e: unknown) => e)
    assert.ok(error instanceof AuthError && error instanceof Error)
    assert.equal(error.name, 'AuthError')
    assert.deepEqual(
      [error.status, error.code, error.retryAfter],
      [400, 'FST_ERR_VALIDATION', null],
    )
    assert.match(error.message, /email/)
  })

  test('has the seconds of Retry-After', async (t) => {
    const { url } = await listen(t, { lockout: { maxAttempts: 1, lockSeconds: 60 } })
    const { auth } = clientOf(url)
    const wrong = { username: 'ada', password: 'wrong' }
    await assert.rejects(auth.login(wrong), { code: 'CRUDAUTH_BAD_CREDENTIALS', retryAfter: null })
    const error = await auth.login(wrong).catch((e: unknown) => e)
    assert.ok(error instanceof AuthError)
    assert.equal(error.code, 'CRUDAUTH_LOCKED_OUT')
    assert.ok(Number(error.retryAfter) >= 1 && Number(error.retryAfter) <= 60)
  })

  test('has the code null for the page of a proxy', async (t) => {
    const { url } = await listen(t)
    const { auth, device, takeEvents } = await signedIn(url)
    const page = (status: number, headers = {}) => {
      device.intercept = async () => new Response('<h1>Proxy</h1>', { status, headers })
      return auth.sessions.list()
    }
    const wednesday = { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }
    await assert.rejects(page(502, wednesday), {
      name: 'AuthError',
      code: null,
      status: 502,
      message: '502',
      retryAfter: null,
    })
    await assert.rejects(page(200), {
      code: null,
      status: 200,
      message: 'The response is not JSON',
    })
    await assert.rejects(page(401), { code: null, status: 401 })
    assert.deepEqual(takeEvents(), [], 'a proxy does not sign out')
  })

  test('network errors are those of fetch', async (t) => {
    const { app, url } = await listen(t)
    const { auth } = await signedIn(url)
    await app.close()
    await assert.rejects(auth.me(), TypeError)
    await assert.rejects(auth.login(credentials), TypeError)
  })
})
