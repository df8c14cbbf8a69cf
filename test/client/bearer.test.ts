import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { StoredTokens } from '../../src/client/index.js'
import { bearerTransport, type CrudAuthOptions } from '../../src/index.js'
import { password } from '../helpers/build.js'
import { ada, clientOf, codeOf, credentials, json, listen, signedIn } from './setup.js'

const day = 86_400_000
const bearer = { transport: 'bearer' } as const

/** An app with bearer tokens only. */
const listenBearer = (
  t: TestContext,
  refresh: 'body' | 'cookie' = 'body',
  auth: Partial<CrudAuthOptions> = {},
) => listen(t, { transports: [bearerTransport({ refresh })], ...auth })

/** Moves the clock of this process, which the app and the client share. */
function clock(t: TestContext) {
  const startMs = Date.now()
  let aheadMs = 0
  t.mock.method(Date, 'now', () => startMs + aheadMs)
  return (seconds: number) => {
    aheadMs += seconds * 1000
  }
}

const outage = () =>
  new Response(JSON.stringify({ code: 'CRUDAUTH_UNAVAILABLE', message: 'later' }), {
    status: 503,
    headers: { 'retry-after': '7', 'content-type': 'application/json' },
  })

/** A store that a test can read and that answers late. */
function slowStore() {
  let kept: StoredTokens | null = null
  return {
    get: async () => kept,
    async set(tokens: StoredTokens | null) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      kept = tokens
    },
    read: () => kept,
  }
}

for (const refresh of ['body', 'cookie'] as const) {
  describe(`client with bearer tokens, refresh token in the ${refresh}`, () => {
    test('signs in, refreshes once for 20 parallel calls, and signs out', async (t) => {
      const advance = clock(t)
      const { url } = await listenBearer(t, refresh)
      const tokens = slowStore()
      const { auth, device, takeEvents } = clientOf(url, { ...bearer, tokens })
      const result = await auth.login({ ...credentials, remember_me: true })
      assert.ok('access_token' in result)
      assert.equal('refresh_token' in result, refresh === 'body')
      assert.equal((await auth.me())?.via, 'bearer')
      assert.equal((await auth.fetch('/notes', json({}))).status, 200)
      assert.equal(device.headers.get('x-csrf-token'), null)
      assert.equal(device.count('/auth/refresh'), 0)

      advance(3600)
      const responses = await Promise.all(Array.from({ length: 20 }, () => auth.fetch('/notes')))
      assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200])
      assert.equal(device.count('/auth/refresh'), 1)

      const former = tokens.read()
      await auth.logout()
      assert.equal(tokens.read(), null)
      assert.equal(await auth.me(), null)
      assert.deepEqual(takeEvents(), ['change', 'change'])
      assert.equal(device.count('/auth/refresh'), 1, 'nobody is signed in')
      // The family is revoked, and not only forgotten.
      const again = clientOf(url, { ...bearer, tokens: { get: () => former, set() {} } })
      for (const [name, value] of device.cookies) again.device.cookies.set(name, value)
      advance(3600)
      assert.equal(await again.auth.me(), null)
    })

    test('a late expiry: the server refuses, and the request is repeated once', async (t) => {
      const { app, url } = await listenBearer(t, refresh)
      const { auth, device } = await signedIn(url, bearer)
      let isRefused = true
      device.intercept = async (path, send) => {
        if (path !== '/notes' || !isRefused) return send()
        isRefused = false
        return app
          .inject('/notes')
          .then(({ body, statusCode }) => new Response(body, { status: statusCode }))
      }
      const response = await auth.fetch('/notes', json({ a: 1 }))
      assert.deepEqual(await response.json(), { by: 1, body: { a: 1 } })
      assert.deepEqual(device.requests, ['POST /notes', 'POST /auth/refresh', 'POST /notes'])
    })

    test('a lost response of /refresh: the same token is sent again at once', async (t) => {
      const advance = clock(t)
      const { url } = await listenBearer(t, refresh)
      const { auth, device, takeEvents } = await signedIn(url, bearer)
      const bodies: { refresh_token?: string }[] = []
      const cookies = new Map(device.cookies)
      device.intercept = async (path, send) => {
        if (path !== '/auth/refresh') return send()
        const response = await send()
        bodies.push((await response.clone().json()) as object)
        if (bodies.length > 1) return response
        // Nor did the cookie arrive.
        for (const [name, value] of cookies) device.cookies.set(name, value)
        throw new TypeError('fetch failed')
      }
      advance(3600)
      assert.equal((await auth.fetch('/notes')).status, 200)
      assert.equal(bodies.length, 2)
      assert.equal(bodies[0]?.refresh_token, bodies[1]?.refresh_token)
      assert.deepEqual(takeEvents(), [])
      advance(3600)
      assert.equal((await auth.fetch('/notes')).status, 200, 'the family lives')
    })

    test('503 and network errors of /refresh do not sign out', async (t) => {
      const advance = clock(t)
      const { url } = await listenBearer(t, refresh)
      const { auth, device, takeEvents } = await signedIn(url, bearer)
      advance(3600)
      device.intercept = async (path, send) => (path === '/auth/refresh' ? outage() : send())
      const response = await auth.fetch('/notes')
      assert.deepEqual([response.status, await codeOf(response)], [503, 'CRUDAUTH_UNAVAILABLE'])
      await assert.rejects(auth.me(), { code: 'CRUDAUTH_UNAVAILABLE', retryAfter: 7 })
      device.intercept = async (path, send) => {
        if (path === '/auth/refresh') throw new TypeError('fetch failed')
        return send()
      }
      await assert.rejects(auth.me(), /fetch failed/)
      assert.deepEqual(takeEvents(), [])
      device.intercept = (_path, send) => send()
      assert.equal((await auth.me())?.username, 'ada')
    })

    test('a revoked family signs out once', async (t) => {
      const advance = clock(t)
      const { app, url } = await listenBearer(t, refresh)
      const { auth, device, takeEvents } = await signedIn(url, bearer)
      await auth.me()
      await app.crudAuth.sessions.revokeAll(1)
      advance(3600)
      const responses = await Promise.all([1, 2, 3].map(() => auth.fetch('/notes')))
      assert.deepEqual(
        responses.map(({ status }) => status),
        [401, 401, 401],
      )
      assert.equal(await auth.me(), null)
      assert.deepEqual(takeEvents(), ['signedout', 'onSignedOut', 'change'])
      assert.equal(device.count('/auth/refresh'), 1)
    })
  })
}

describe('refresh of the client', () => {
  test('after a reload the refresh cookie signs in, and an outage is not taken for "no"', async (t) => {
    const { url } = await listenBearer(t, 'cookie')
    const before = await signedIn(url, bearer)
    const { auth, device, takeEvents } = clientOf(url, bearer)
    for (const [name, value] of before.device.cookies) device.cookies.set(name, value)
    device.intercept = async (path, send) => (path === '/auth/refresh' ? outage() : send())
    await assert.rejects(auth.me(), { code: 'CRUDAUTH_UNAVAILABLE', status: 503 })
    assert.equal((await auth.fetch('/notes')).status, 503)
    device.intercept = (_path, send) => send()
    assert.equal((await auth.me())?.username, 'ada')
    assert.deepEqual(takeEvents(), [])
  })

  test('after a reload, a lost response of /refresh is asked for again', async (t) => {
    const { url } = await listenBearer(t, 'cookie')
    const before = await signedIn(url, bearer)
    const { auth, device } = clientOf(url, bearer)
    for (const [name, value] of before.device.cookies) device.cookies.set(name, value)
    let lost = 0
    device.intercept = async (path, send) => {
      const cookies = new Map(device.cookies)
      const response = await send()
      if (path !== '/auth/refresh' || lost++ > 0) return response
      for (const [name, value] of cookies) device.cookies.set(name, value)
      throw new TypeError('fetch failed')
    }
    assert.equal((await auth.me())?.username, 'ada')
    assert.equal(device.count('/auth/refresh'), 2)
  })

  test('without a refresh token it is asked for once, and never for public routes', async (t) => {
    const { url } = await listenBearer(t)
    const { auth, device } = clientOf(url, bearer)
    await auth.login(credentials).then(() => auth.logout())
    assert.equal(device.count('/auth/refresh'), 0)
    const fresh = clientOf(url, bearer)
    for (let n = 0; n < 3; n++) assert.equal(await fresh.auth.me(), null)
    assert.equal(fresh.device.count('/auth/refresh'), 1)
  })

  test('an access token is used as long as it is valid while /refresh is down', async (t) => {
    const advance = clock(t)
    const { url } = await listenBearer(t)
    const { auth, device } = await signedIn(url, bearer)
    device.intercept = async (path, send) => (path === '/auth/refresh' ? outage() : send())
    advance(895)
    assert.equal((await auth.fetch('/notes')).status, 200)
    assert.equal(device.count('/auth/refresh'), 1)
  })

  test('a page in place of the tokens does not sign out', async (t) => {
    const advance = clock(t)
    const { url } = await listenBearer(t)
    const tokens = slowStore()
    const { auth, device } = await signedIn(url, { ...bearer, tokens })
    advance(3600)
    for (const body of ['<h1>Wi-Fi</h1>', '{}', 'null']) {
      device.intercept = async (path, send) =>
        path === '/auth/refresh' ? new Response(body) : send()
      await assert.rejects(auth.me(), { name: 'AuthError', code: null, status: 200 })
      assert.ok(tokens.read())
    }
    device.intercept = (_path, send) => send()
    assert.ok(await auth.me())
  })

  test('the clock of the device may be a day off', async (t) => {
    const { url } = await listenBearer(t)
    for (const offMs of [-day, day]) {
      const real = Date.now
      const { auth, device } = clientOf(url, bearer)
      // The app runs in the same process: only the client's own reading is shifted.
      const shifted = async <T>(work: () => Promise<T>): Promise<T> => {
        const mock = t.mock.method(Date, 'now', () => {
          const isClient = new Error().stack?.includes('src/client/')
          return real() + (isClient ? offMs : 0)
        })
        try {
          return await work()
        } finally {
          mock.mock.restore()
        }
      }
      await shifted(async () => {
        await auth.login(credentials)
        for (let n = 0; n < 3; n++) assert.equal((await auth.fetch('/notes')).status, 200)
      })
      assert.equal(device.count('/auth/refresh'), 0)
      // The clock is set right: to the past it looks valid for long, to the future expired.
      assert.equal((await auth.fetch('/notes')).status, 200)
      assert.ok(device.count('/auth/refresh') <= 1)
    }
  })

  test('a sign-out while a refresh is on its way wins', async (t) => {
    const advance = clock(t)
    const { url } = await listenBearer(t)
    const tokens = slowStore()
    const { auth, device } = await signedIn(url, { ...bearer, tokens })
    advance(3600)
    let arrive = () => {}
    const held = new Promise<void>((resolve) => {
      arrive = resolve
    })
    device.intercept = async (path, send) => {
      const response = await send()
      if (path === '/auth/refresh') await held
      return response
    }
    const request = auth.fetch('/notes')
    await new Promise((resolve) => setTimeout(resolve, 50))
    await auth.logout()
    arrive()
    assert.equal((await request).status, 401)
    assert.equal(tokens.read(), null)
    assert.equal(await auth.me(), null)
  })

  test('a sign-in while a refresh is refused wins', async (t) => {
    const { url } = await listenBearer(t)
    const { auth, device, takeEvents } = clientOf(url, bearer)
    let arrive = () => {}
    const held = new Promise<void>((resolve) => {
      arrive = resolve
    })
    device.intercept = async (path, send) => {
      const response = await send()
      if (path === '/auth/refresh') await held
      return response
    }
    const first = auth.me()
    await auth.login(credentials)
    arrive()
    assert.equal((await first)?.username, 'ada')
    assert.equal((await auth.me())?.username, 'ada')
    assert.deepEqual(takeEvents(), ['change'])
  })

  test('the store keeps the new refresh token before a request uses the access token', async (t) => {
    const advance = clock(t)
    const { url } = await listenBearer(t)
    const tokens = slowStore()
    const { auth, device } = await signedIn(url, { ...bearer, tokens })
    advance(3600)
    await auth.fetch('/notes')
    assert.equal(device.headers.get('authorization'), `Bearer ${tokens.read()?.accessToken}`)
  })

  test('onSignedOut fires after an asynchronous store has forgotten the tokens', async (t) => {
    const { app, url } = await listenBearer(t)
    const tokens = slowStore()
    const kept: unknown[] = []
    const { auth } = await signedIn(url, {
      ...bearer,
      tokens,
      onSignedOut: () => kept.push(tokens.read()),
    })
    await app.crudAuth.users.update(1, { tokenVersion: 9 })
    await auth.fetch('/notes')
    assert.deepEqual(kept, [null])
  })

  test('two clients of one process do not share tokens', async (t) => {
    const { app, url } = await listenBearer(t)
    await app.inject({
      method: 'POST',
      url: '/auth/register',
      payload: { ...ada, email: 'bob@example.com', username: 'bob' },
    })
    const first = await signedIn(url, bearer)
    const second = clientOf(url, bearer)
    assert.equal(await second.auth.me(), null)
    await second.auth.login({ username: 'bob', password })
    assert.equal((await first.auth.me())?.username, 'ada')
    await second.auth.logout()
    assert.equal((await first.auth.me())?.username, 'ada')
    assert.deepEqual(first.takeEvents(), [])
  })

  test('a wrong password is no expiry', async (t) => {
    const { url } = await listenBearer(t)
    const { auth, device, takeEvents } = await signedIn(url, bearer)
    await assert.rejects(auth.changePassword('wrong', 'another good phrase'), {
      code: 'CRUDAUTH_WRONG_PASSWORD',
    })
    await assert.rejects(auth.login({ username: 'ada', password: 'wrong' }), {
      code: 'CRUDAUTH_BAD_CREDENTIALS',
    })
    assert.equal(device.count('/auth/refresh'), 0)
    assert.deepEqual(takeEvents(), [])
    assert.ok(await auth.me())
  })

  test('a password change is a sign-out, because it ends all tokens', async (t) => {
    const { app, url } = await listenBearer(t)
    const { auth, takeEvents } = await signedIn(url, bearer)
    await auth.changePassword(password, 'another good phrase')
    assert.deepEqual(takeEvents(), ['change'])
    assert.equal(await auth.me(), null)
    await app.crudAuth.users.update(1, { hashedPassword: null })
    await auth.accept(
      (await (await auth.fetch('/enter', json({ transport: 'bearer' }))).json()) as never,
    )
    assert.equal((await auth.me())?.has_password, false)
    await auth.setPassword('a third good phrase')
    assert.deepEqual(takeEvents(), ['change', 'change'])
    assert.equal(await auth.me(), null)
  })

  test('login asks for scopes', async (t) => {
    const { url } = await listen(t, {
      transports: [bearerTransport({ refresh: 'body', grantableScopes: ['notes', 'account'] })],
    })
    const { auth } = clientOf(url, bearer)
    await auth.login({ ...credentials, scope: 'notes' })
    assert.deepEqual((await auth.me())?.scopes, ['notes'])
  })
})
