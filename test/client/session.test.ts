import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { AuthError } from '../../src/client/index.js'
import { sessionTransport } from '../../src/index.js'
import { password } from '../helpers/build.js'
import { clientOf, codeOf, credentials, json, listen, signedIn } from './setup.js'

const next = 'another good phrase'

describe('client with sessions', () => {
  test('registers, signs in, reads the user and signs out', async (t) => {
    const { url } = await listen(t)
    const { auth, device, takeEvents } = clientOf(url)
    assert.equal(await auth.me(), null)
    const bob = await auth.register({ email: 'bob@example.com', username: 'bob', password })
    assert.deepEqual(bob, { id: 2, email: 'bob@example.com', username: 'bob' })
    const result = await auth.login({ username: 'bob', password, remember_me: true })
    assert.ok('csrf_token' in result && result.username === 'bob')
    const me = await auth.me()
    assert.equal(me?.username, 'bob')
    assert.equal(me?.via, 'session')
    assert.equal((await auth.fetch('/notes', json({ a: 1 }))).status, 200)
    await auth.logout()
    assert.equal(await auth.me(), null)
    assert.deepEqual(takeEvents(), ['change', 'change'])
    assert.equal(device.count('/auth/csrf/refresh'), 0, 'the response of /login had the token')
  })

  test('public routes get no CSRF token, and none is fetched for them', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = clientOf(url)
    await auth.login(credentials)
    assert.deepEqual(device.requests, ['POST /auth/login'])
    await auth.login(credentials)
    assert.equal(device.headers.get('x-csrf-token'), null)
  })

  test('signing out succeeds if nobody is signed in, and is no expiry', async (t) => {
    const { app, url } = await listen(t)
    const { auth, takeEvents } = await signedIn(url)
    await app.crudAuth.sessions.revokeAll(1)
    await auth.logout()
    assert.deepEqual(takeEvents(), ['change'])
  })

  test('passwords: a change keeps the session, a wrong one is no sign-out', async (t) => {
    const { app, url } = await listen(t)
    const { auth, takeEvents } = await signedIn(url)
    await assert.rejects(auth.changePassword('wrong', next), { code: 'CRUDAUTH_WRONG_PASSWORD' })
    await auth.changePassword(password, next)
    assert.equal((await auth.me())?.username, 'ada')
    await assert.rejects(auth.setPassword(password), { code: 'CRUDAUTH_PASSWORD_EXISTS' })
    await app.crudAuth.users.update(1, { hashedPassword: null })
    assert.equal(await auth.me(), null, 'the row has another epoch')
    assert.deepEqual(takeEvents(), ['signedout', 'onSignedOut', 'change'])
  })

  test('setPassword: sets the first password after a sign-in at a route of the app', async (t) => {
    const { app, url } = await listen(t)
    const { auth, device, takeEvents } = clientOf(url)
    await app.crudAuth.users.update(1, { hashedPassword: null })
    const body = await (await auth.fetch('/enter', json({ transport: 'session' }))).json()
    await auth.accept(body as never)
    assert.deepEqual(takeEvents(), ['change'])
    assert.equal((await auth.me())?.has_password, false)
    device.requests.length = 0
    await auth.setPassword(next)
    assert.deepEqual(device.requests, ['POST /auth/set-password'], 'the CSRF token was kept')
    assert.equal((await auth.me())?.has_password, true)
  })

  test('devices: lists, revokes one, revokes the others, revokes all', async (t) => {
    const { url } = await listen(t)
    const { auth, takeEvents } = await signedIn(url)
    const others = [await signedIn(url), await signedIn(url)]
    const list = await auth.sessions.list()
    assert.equal(list.length, 3)
    const [other] = list.filter(({ current }) => !current)
    await auth.sessions.revoke(String(other?.id))
    assert.equal((await auth.sessions.list()).length, 2)
    await assert.rejects(auth.sessions.revoke('a/../b'), { code: 'CRUDAUTH_NOT_FOUND' })
    assert.deepEqual(await auth.sessions.revokeAll({ keepCurrent: true }), {
      detail: 'Every other session ended',
      revoked: 1,
    })
    assert.deepEqual(takeEvents(), [])
    for (const { auth } of others) assert.equal(await auth.me(), null)
    assert.equal((await auth.sessions.revokeAll()).revoked, 1)
    assert.deepEqual(takeEvents(), ['change'])
    assert.equal(await auth.me(), null)
  })
})

describe('CSRF token of the client', () => {
  /** The page was reloaded: the cookies are there, and the memory is empty. */
  async function reloaded(url: string) {
    const before = await signedIn(url)
    const after = clientOf(url)
    for (const [name, value] of before.device.cookies) after.device.cookies.set(name, value)
    return after
  }

  test('is fetched once after a reload, for all requests', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await reloaded(url)
    const send = () => auth.fetch('/notes', json({}))
    const responses = await Promise.all([send(), send(), send()])
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200, 200],
    )
    await send()
    assert.equal(device.count('/auth/csrf/refresh'), 1)
  })

  test('is not fetched for GET', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await reloaded(url)
    await auth.fetch('/notes')
    await auth.fetch('/notes', { method: 'head' })
    assert.deepEqual(device.requests, ['GET /notes', 'head /notes'])
  })

  test('is asked for once if nobody is signed in', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = clientOf(url)
    for (let n = 0; n < 3; n++) assert.equal((await auth.fetch('/public', json({}))).status, 200)
    assert.equal(device.count('/auth/csrf/refresh'), 1)
  })

  test('is asked for once with CSRF off', async (t) => {
    const { url } = await listen(t, {
      transports: [sessionTransport({ managementRoutes: true, csrf: false })],
    })
    const { auth, device } = await signedIn(url)
    for (let n = 0; n < 3; n++) await auth.fetch('/notes', json({}))
    assert.equal(device.count('/auth/csrf/refresh'), 0)
  })

  test('is asked for again after an outage', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await reloaded(url)
    device.intercept = async (path, send) =>
      path === '/auth/csrf/refresh' ? new Response('{}', { status: 503 }) : send()
    assert.equal((await auth.fetch('/public', json({}))).status, 200)
    device.intercept = (_path, send) => send()
    assert.equal((await auth.fetch('/notes', json({}))).status, 200)
    assert.equal(device.count('/notes'), 1)
  })

  test('a page in place of the token is no token', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await reloaded(url)
    device.intercept = async (path, send) =>
      path === '/auth/csrf/refresh' ? new Response('<h1>Proxy</h1>') : send()
    assert.equal((await auth.fetch('/notes', json({}))).status, 403)
  })

  /** A page of the same origin, with these cookies that its scripts can read. */
  function page(t: TestContext, url: string, cookie: string) {
    const location = { origin: url, href: `${url}/` }
    Object.defineProperty(globalThis, 'location', { value: location, configurable: true })
    Object.defineProperty(globalThis, 'document', { value: { cookie }, configurable: true })
    t.after(() => {
      for (const name of ['location', 'document']) Reflect.deleteProperty(globalThis, name)
    })
  }

  test('of several cookies with its name the least specific one is ours', async (t) => {
    const { url } = await listen(t)
    const before = await signedIn(url)
    const token = before.device.cookies.get('csrf_token')
    page(t, url, `csrf_token=deeper; x_csrf_token=x; csrf_token=${token}`)
    const { auth, device } = clientOf(url)
    for (const [name, value] of before.device.cookies) device.cookies.set(name, value)
    assert.equal((await auth.fetch('/notes', json({}))).status, 200)
    assert.equal(device.count('/auth/csrf/refresh'), 0)
  })

  test('a cookie that hides the token does not stop the renewed one', async (t) => {
    const { url } = await listen(t)
    page(t, url, 'csrf_token=stale')
    const { auth, device } = await signedIn(url)
    assert.equal((await auth.fetch('/notes', json({}))).status, 200)
    assert.equal(device.count('/notes'), 2)
  })

  test('the cookie of another origin is not read', async (t) => {
    const { url } = await listen(t)
    page(t, 'https://front.example', 'csrf_token=foreign')
    const { auth, device } = await signedIn(url)
    assert.equal((await auth.fetch('/notes', json({}))).status, 200)
    assert.equal(device.count('/notes'), 1)
  })

  test('is renewed once after CRUDAUTH_CSRF, and the request is repeated', async (t) => {
    const { url } = await listen(t)
    const { auth, device } = await signedIn(url)
    // Another tab has signed in again.
    const other = await signedIn(url)
    for (const [name, value] of other.device.cookies) device.cookies.set(name, value)
    const response = await auth.fetch('/notes', json({ a: 1 }))
    assert.deepEqual(await response.json(), { by: 1, body: { a: 1 } })
    assert.deepEqual(device.requests, ['POST /notes', 'POST /auth/csrf/refresh', 'POST /notes'])
  })

  test('a request is repeated once only', async (t) => {
    const { url } = await listen(t)
    const { auth, device, takeEvents } = await signedIn(url)
    const refusal = JSON.stringify({ code: 'CRUDAUTH_CSRF', message: 'no' })
    device.intercept = async (path, send) =>
      path === '/notes' ? new Response(refusal, { status: 403 }) : send()
    assert.equal((await auth.fetch('/notes', json({}))).status, 403)
    assert.equal(device.count('/notes'), 2)
    assert.equal(device.count('/auth/csrf/refresh'), 1)
    assert.deepEqual(takeEvents(), [])
  })

  test('without management routes the refusal reaches the caller', async (t) => {
    const { url } = await listen(t, { transports: [sessionTransport()] })
    const { auth } = await reloaded(url)
    const response = await auth.fetch('/notes', json({}))
    assert.equal(await codeOf(response), 'CRUDAUTH_CSRF')
  })
})

describe('end of a session', () => {
  test('fires onSignedOut once, for any number of requests', async (t) => {
    const { app, url } = await listen(t)
    const { auth, takeEvents } = await signedIn(url)
    await auth.me()
    await app.crudAuth.sessions.revokeAll(1)
    const send = () => auth.fetch('/notes')
    const responses = await Promise.all([send(), send(), send(), auth.me()])
    assert.equal(responses[0]?.status, 401)
    assert.equal(await codeOf(responses[0] as Response), 'CRUDAUTH_UNAUTHENTICATED')
    await send()
    assert.deepEqual(takeEvents(), ['signedout', 'onSignedOut', 'change'])
  })

  test('is announced for a guarded request of a new page, and not for me()', async (t) => {
    const { url } = await listen(t)
    const asks = clientOf(url)
    assert.equal(await asks.auth.me(), null)
    await asks.auth.fetch('/notes')
    assert.deepEqual(asks.takeEvents(), [])
    const sends = clientOf(url)
    await sends.auth.fetch('/notes')
    assert.deepEqual(sends.takeEvents(), ['signedout', 'onSignedOut', 'change'])
  })

  test('a wrong password does not fire it', async (t) => {
    const { url } = await listen(t)
    const { auth, takeEvents } = await signedIn(url)
    const wrong = auth.login({ username: 'ada', password: 'wrong' })
    await assert.rejects(wrong, { code: 'CRUDAUTH_BAD_CREDENTIALS', status: 401 })
    const sudo = await auth.fetch('/sudo', json({ password: 'wrong' }))
    assert.equal(await codeOf(sudo), 'CRUDAUTH_WRONG_PASSWORD')
    await assert.rejects(auth.changePassword('wrong', next), AuthError)
    assert.deepEqual(takeEvents(), [])
    assert.ok(await auth.me())
  })

  test('a late 401 of the former session does not end the present one', async (t) => {
    const { app, url } = await listen(t)
    const { auth, device, takeEvents } = await signedIn(url)
    await app.crudAuth.sessions.revokeAll(1)
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    device.intercept = async (path, send) => {
      const response = await send()
      if (path === '/notes') await held
      return response
    }
    const late = auth.fetch('/notes')
    await auth.login(credentials)
    release()
    assert.equal((await late).status, 401)
    assert.deepEqual(takeEvents(), ['change'])
    assert.ok(await auth.me())
  })
})

describe('sudo mode', () => {
  test('onSudoRequired confirms, and the request is repeated once', async (t) => {
    const { url } = await listen(t)
    const codes: unknown[] = []
    const { auth, device } = await signedIn(url, {
      async onSudoRequired({ code, status }) {
        codes.push(code, status)
        return (await auth.fetch('/sudo', json({ password }))).ok
      },
    })
    assert.equal((await auth.fetch('/ledger')).status, 200)
    assert.deepEqual(codes, ['CRUDAUTH_SUDO_REQUIRED', 403])
    assert.deepEqual(device.requests, ['GET /ledger', 'POST /sudo', 'GET /ledger'])
  })

  test('false, and true without elevation, end with the refusal', async (t) => {
    const { url } = await listen(t)
    for (const [result, count] of [
      [false, 1],
      [true, 2],
    ] as const) {
      const { auth, device } = await signedIn(url, { onSudoRequired: () => result })
      const response = await auth.fetch('/ledger')
      assert.equal(await codeOf(response), 'CRUDAUTH_SUDO_REQUIRED')
      assert.equal(device.count('/ledger'), count)
    }
    const { auth, device } = await signedIn(url)
    assert.equal((await auth.fetch('/ledger')).status, 403)
    assert.equal(device.count('/ledger'), 1)
  })

  test('a sign-in that is too old calls it, too', async (t) => {
    const { url } = await listen(t)
    const codes: unknown[] = []
    const { auth } = await signedIn(url, {
      onSudoRequired: ({ code }) => codes.push(code) === 0,
    })
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 60_000 })
    assert.equal((await auth.fetch('/keys')).status, 403)
    assert.deepEqual(codes, ['CRUDAUTH_FRESH_SIGN_IN_REQUIRED'])
  })

  test('parallel requests ask once, and requests of the dialog do not ask', async (t) => {
    const { url } = await listen(t)
    let asked = 0
    const { auth } = await signedIn(url, {
      async onSudoRequired() {
        asked++
        assert.equal((await auth.fetch('/ledger')).status, 403)
        return (await auth.fetch('/sudo', json({ password }))).ok
      },
    })
    const responses = await Promise.all([1, 2, 3].map(() => auth.fetch('/ledger')))
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.equal(asked, 1)
  })

  test('an error of onSudoRequired reaches the caller', async (t) => {
    const { url } = await listen(t)
    const { auth } = await signedIn(url, {
      onSudoRequired() {
        throw new Error('closed')
      },
    })
    await assert.rejects(auth.fetch('/ledger'), /closed/)
    await assert.rejects(auth.fetch('/ledger'), /closed/)
  })
})
