import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type SessionTransportOptions, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { type Backend, backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

const second = 1 / 86_400

async function signIn(
  t: Parameters<typeof build>[0],
  backend: Backend,
  options: SessionTransportOptions,
  remember_me = 'off',
) {
  const app = await build(t, {
    auth: {
      ...backend.options(),
      transports: [sessionTransport({ managementRoutes: true, ...options })],
    },
  })
  const client = new Client(app)
  await client.register('ann')
  const response = await client.login('ann', password, { remember_me })
  answers(response, 200)
  return { app, client, cookies: setCookies(response) }
}

for (const backend of backends) {
  describe(`${backend.name}: session lifetime`, { concurrency: true }, () => {
    test('an idle session expires after idleSeconds, on routes without a gate too', async (t) => {
      const { client } = await signIn(t, backend, { idleSeconds: 1 })
      await wait(1300)
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await client.post('/csrf/refresh'), 'CRUDAUTH_UNAUTHENTICATED')
      refusesOwn(await client.post('/logout'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('each request extends the idle window', async (t) => {
      const { client } = await signIn(t, backend, { idleSeconds: 3 })
      for (let n = 0; n < 5; n++) {
        await wait(1000)
        answers(await client.get('/me'), 200)
      }
    })

    test('a remembered session renews its cookies whenever its activity is written back', async (t) => {
      const { client, cookies } = await signIn(
        t,
        backend,
        { rememberMeDays: 3 * second, absoluteDays: 5 * second },
        'on',
      )
      const names = ['__Host-crudauth_session', 'csrf_token'] as const
      const ages = (all: typeof cookies) => names.map((name) => all[name]?.maxAge)
      assert.deepEqual(ages(cookies), [3, 3])
      await wait(1100)
      const renewed = await client.get('/me')
      answers(renewed, 200)
      for (const name of names) assert.equal(setCookies(renewed)[name]?.value, cookies[name]?.value)
      assert.deepEqual(ages(setCookies(renewed)), [3, 3])
      assert.equal(Object.keys(setCookies(renewed)).length, 2)
      assert.equal(
        (await client.get('/me')).headers['set-cookie'],
        undefined,
        'not at each request',
      )
      await wait(1500)
      // At most what is left of the absolute lifetime; a busy machine leaves less.
      for (const age of ages(setCookies(await client.get('/me'))))
        assert.ok(age === 2 || age === 1, `${age}`)
    })

    test('no cookies are renewed for a session that is not remembered or has just been revoked', async (t) => {
      const { client } = await signIn(t, backend, { idleSeconds: 3 })
      await wait(1100)
      assert.equal((await client.get('/me')).headers['set-cookie'], undefined)
      const { app, client: remembered } = await signIn(
        t,
        backend,
        { rememberMeDays: 3 * second },
        'on',
      )
      await wait(1100)
      const before = app.sessionStore.update
      app.sessionStore.update = async () => false
      const late = await remembered.get('/me')
      app.sessionStore.update = before
      answers(late, 200)
      assert.equal(late.headers['set-cookie'], undefined)
    })

    test('a session in use expires at the absolute lifetime', async (t) => {
      const { client } = await signIn(t, backend, { absoluteDays: 3 * second })
      answers(await client.get('/me'), 200)
      let alive = true
      for (let n = 0; n < 10 && alive; n++) {
        await wait(500)
        alive = (await client.get('/me')).statusCode === 200
      }
      assert.equal(alive, false)
    })

    test('a remembered session outlives idleSeconds and expires after rememberMeDays', async (t) => {
      const { client, cookies } = await signIn(
        t,
        backend,
        { idleSeconds: 1, rememberMeDays: 3 * second },
        'on',
      )
      assert.equal(cookies['__Host-crudauth_session']?.maxAge, 3)
      await wait(1500)
      answers(await client.get('/me'), 200)
      await wait(3500)
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('the absolute lifetime caps a remembered session and its cookies’ Max-Age', async (t) => {
      const { client, cookies } = await signIn(t, backend, { absoluteDays: 2 * second }, 'on')
      assert.equal(cookies['__Host-crudauth_session']?.maxAge, 2)
      assert.equal(cookies.csrf_token?.maxAge, 2)
      await wait(2500)
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('an expired session is neither listed nor counted as revoked', async (t) => {
      const { app } = await signIn(t, backend, { idleSeconds: 1, maxSessionsPerUser: 2 })
      await wait(1300)
      const client = new Client(app)
      await client.login('ann')
      assert.equal(answers(await client.get('/sessions'), 200).length, 1)
      assert.equal(answers(await client.post('/logout-all'), 200).revoked, 1)
    })
  })

  describe(`${backend.name}: maxSessionsPerUser`, () => {
    test('an expired session does not count against the limit', async (t) => {
      // The first session is the least recently active one, but the second has expired.
      const { app, client: first } = await signIn(
        t,
        backend,
        { idleSeconds: 1, maxSessionsPerUser: 2 },
        'on',
      )
      const second = new Client(app)
      answers(await second.login('ann'), 200)
      await wait(1300)
      const third = new Client(app)
      answers(await third.login('ann'), 200)
      answers(await first.get('/me'), 200)
      answers(await third.get('/me'), 200)
      refusesOwn(await second.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    const alive = async (clients: Client[]) =>
      Promise.all(clients.map(async (client) => (await client.get('/me')).statusCode === 200))

    test('by default, a sixth sign-in revokes the least recently active session', async (t) => {
      const app = await build(t, { auth: backend.options() })
      await new Client(app).register('ann')
      const clients: Client[] = []
      for (let n = 0; n < 6; n++) {
        const client = new Client(app)
        answers(await client.login('ann'), 200)
        clients.push(client)
        await wait(10)
      }
      assert.deepEqual(await alive(clients), [false, true, true, true, true, true])
    })

    test('the session revoked is the least recently active one, not the oldest', async (t) => {
      const app = await build(t, {
        auth: {
          ...backend.options(),
          transports: [
            sessionTransport({ managementRoutes: true, maxSessionsPerUser: 2, idleSeconds: 30 }),
          ],
        },
      })
      await new Client(app).register('ann')
      const [first, second, third] = [new Client(app), new Client(app), new Client(app)]
      await first.login('ann')
      await wait(20)
      await second.login('ann')
      // Longer than the small part of the idle window within which activity is not written back.
      await wait(1500)
      answers(await first.get('/me'), 200)
      await wait(200)
      await third.login('ann')
      assert.deepEqual(await alive([first, second, third]), [true, false, true])
    })

    test('20 parallel sign-ins leave exactly five sessions', async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), lockout: { maxAttempts: 1000, maxAttemptsPerIp: 1000 } },
      })
      await new Client(app).register('ann')
      const clients = Array.from({ length: 20 }, () => new Client(app))
      await Promise.all(clients.map(async (client) => answers(await client.login('ann'), 200)))
      assert.equal((await alive(clients)).filter(Boolean).length, 5)
    })

    test('Infinity means no limit', async (t) => {
      const app = await build(t, {
        auth: {
          ...backend.options(),
          transports: [sessionTransport({ maxSessionsPerUser: Number.POSITIVE_INFINITY })],
        },
      })
      await new Client(app).register('ann')
      const clients = Array.from({ length: 8 }, () => new Client(app))
      for (const client of clients) answers(await client.login('ann'), 200)
      assert.ok((await alive(clients)).every(Boolean))
    })

    test('the limit applies to each user separately', async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), transports: [sessionTransport({ maxSessionsPerUser: 1 })] },
      })
      for (const name of ['ann', 'bob']) await new Client(app).register(name)
      const [ann, bob] = [new Client(app), new Client(app)]
      await ann.login('ann')
      await bob.login('bob')
      assert.deepEqual(await alive([ann, bob]), [true, true])
    })

    test('signing in again on one device does not sign out another', async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), transports: [sessionTransport({ maxSessionsPerUser: 2 })] },
      })
      await new Client(app).register('ann')
      const [one, two] = [new Client(app), new Client(app)]
      await one.login('ann')
      await two.login('ann')
      answers(await two.login('ann'), 200)
      assert.deepEqual(await alive([one, two]), [true, true])
    })
  })
}

test('session cookies: renewal does not touch a foreign or missing CSRF cookie', async (t) => {
  const { client } = await signIn(t, backends[0] as Backend, {}, 'on')
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  for (const stray of ['planted', null]) {
    client.cookies.delete('csrf_token')
    if (stray) client.cookies.set('csrf_token', stray)
    t.mock.timers.tick(2 * 3_600_000)
    const renewed = await client.get('/me')
    answers(renewed, 200)
    assert.deepEqual(Object.keys(setCookies(renewed)), ['__Host-crudauth_session'])
  }
})

test('session cookies: there is no renewal when the activity cannot be written back', async (t) => {
  const { app, client } = await signIn(t, backends[0] as Backend, {}, 'on')
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 })
  app.sessionStore.update = () => Promise.reject(new Error('down'))
  const response = await client.get('/me')
  answers(response, 200)
  assert.equal(response.headers['set-cookie'], undefined)
})
