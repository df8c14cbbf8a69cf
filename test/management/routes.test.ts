import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, secret } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const cookieNames = ['__Host-crudauth_session', 'csrf_token']

for (const backend of backends) {
  describe(`${backend.name}: GET /sessions`, () => {
    test('lists the user’s own sessions with a fixed set of fields and marks the current one', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const before = Date.now()
      const client = await signedIn(app, 'ann')
      await signedIn(app, 'bob')
      const other = new Client(app, '', {
        remoteAddress: '198.51.100.7',
        headers: { 'user-agent': firefox },
      })
      await other.login('ann')
      const list = answers(await client.get('/sessions'), 200)
      assert.equal(list.length, 2)
      for (const session of list) {
        assert.deepEqual(Object.keys(session).sort(), [
          'created_at',
          'current',
          'device',
          'id',
          'ip',
          'label',
          'last_activity',
          'session_id',
        ])
        for (const time of [session.created_at, session.last_activity]) {
          assert.equal(new Date(time).toISOString(), time)
          assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now())
        }
      }
      assert.deepEqual(list.map(({ current }: { current: boolean }) => current).sort(), [
        false,
        true,
      ])
      const foreign = list.find(({ current }: { current: boolean }) => !current)
      assert.equal(foreign.ip, '198.51.100.7')
      assert.equal(foreign.id, foreign.session_id)
      assert.match(foreign.label, /^Firefox on Linux$/)
      assert.deepEqual(Object.keys(foreign.device).sort(), [
        'browser',
        'browser_version',
        'device',
        'is_mobile',
        'is_pc',
        'is_tablet',
        'os',
      ])
      assert.deepEqual([foreign.device.browser, foreign.device.os], ['Firefox', 'Linux'])
      assert.deepEqual([foreign.device.is_pc, foreign.device.is_mobile], [true, false])
    })

    test('the response contains nothing that authenticates', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const response = await client.get('/sessions')
      const value = client.cookies.get('__Host-crudauth_session') as string
      const [secret = '', tag = ''] = value.split('.')
      for (const part of [secret, tag, client.csrf as string])
        assert.ok(!response.body.includes(part))
      const handle = answers(response, 200)[0].session_id
      for (const forged of [handle, `${handle}.${tag}`]) {
        refusesOwn(
          await app.inject({ url: '/me', cookies: { '__Host-crudauth_session': forged } }),
          'CRUDAUTH_UNAUTHENTICATED',
        )
      }
    })

    test('an unrecognized user agent gets the label "Unknown device"', async (t) => {
      const app = await build(t, { auth: backend.options() })
      await new Client(app).register('ann')
      for (const agent of ['', 'x'.repeat(8000), '<script>alert(1)</script>\u0007', 'Bowser/9']) {
        const client = new Client(app, '', { headers: { 'user-agent': agent } })
        answers(await client.login('ann'), 200)
        const mine = answers(await client.get('/sessions'), 200).find(
          ({ current }: { current: boolean }) => current,
        )
        assert.equal(mine.label, 'Unknown device')
        await client.post('/logout')
      }
    })

    test('a huge user agent: the label and each stored detail are bounded', async (t) => {
      const app = await build(t, { auth: backend.options() })
      await new Client(app).register('ann')
      const known = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/'
      for (const agent of [`${firefox} ${'x'.repeat(8000)}`, `${known}${'9'.repeat(8000)}`]) {
        const client = new Client(app, '', { headers: { 'user-agent': agent } })
        answers(await client.login('ann'), 200)
        const mine = answers(await client.get('/sessions'), 200).find(
          ({ current }: { current: boolean }) => current,
        )
        assert.equal(mine.label, 'Firefox on Linux')
        for (const detail of Object.values(mine.device))
          assert.ok(String(detail).length <= 64, String(detail))
        await client.post('/logout')
      }
    })

    test('a request without a session gets 401', async (t) => {
      const app = await build(t, { auth: backend.options() })
      refusesOwn(await app.inject('/sessions'), 'CRUDAUTH_UNAUTHENTICATED')
    })
  })

  describe(`${backend.name}: DELETE /sessions/{session_id}`, () => {
    const handleOf = async (client: Client) =>
      answers(await client.get('/sessions'), 200).find(
        ({ current }: { current: boolean }) => current,
      ).session_id as string

    test('another session of the user is revoked, and the current one is kept', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const other = new Client(app)
      await other.login('ann')
      const response = await client.delete(`/sessions/${await handleOf(other)}`)
      assert.deepEqual(Object.keys(answers(response, 200)), ['detail'])
      assert.equal(response.headers['set-cookie'], undefined)
      refusesOwn(await other.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      answers(await client.get('/me'), 200)
    })

    test('revoking the current session clears its cookies', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const response = await client.delete(`/sessions/${await handleOf(client)}`)
      answers(response, 200)
      const cleared = setCookies(response)
      assert.deepEqual(Object.keys(cleared).sort(), cookieNames)
      assert.ok(Object.values(cleared).every(({ maxAge }) => maxAge === 0))
      assert.equal(
        cleared['__Host-crudauth_session']?.attributes,
        'httponly; path=/; samesite=lax; secure',
      )
    })

    test('foreign, revoked and unknown handles get the same 404', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const bob = await signedIn(app, 'bob')
      const ended = new Client(app)
      await ended.login('ann')
      const endedHandle = await handleOf(ended)
      await ended.post('/logout')
      const bodies = new Set<string>()
      for (const handle of [
        await handleOf(bob),
        endedHandle,
        'A'.repeat(43),
        'x',
        '..%2f..',
        '%00',
        '*',
        '__proto__',
      ]) {
        const response = await client.delete(`/sessions/${handle}`)
        refusesOwn(response, 'CRUDAUTH_NOT_FOUND')
        assert.equal(response.headers['set-cookie'], undefined)
        bodies.add(response.body)
      }
      assert.equal(bodies.size, 1)
      answers(await bob.get('/me'), 200)
      answers(await client.get('/me'), 200)
    })

    test('403 without the CSRF header, 401 without a session, and nothing is revoked', async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const handle = await handleOf(client)
      refusesOwn(await new Client(app).delete(`/sessions/${handle}`), 'CRUDAUTH_UNAUTHENTICATED')
      client.csrf = null
      refusesOwn(await client.delete(`/sessions/${handle}`), 'CRUDAUTH_CSRF')
      answers(await client.get('/me'), 200)
    })
  })

  describe(`${backend.name}: POST /logout-all`, () => {
    async function three(t: Parameters<typeof build>[0]) {
      const app = await build(t, { auth: backend.options() })
      const clients = [await signedIn(app, 'ann'), new Client(app), new Client(app)] as [
        Client,
        Client,
        Client,
      ]
      for (const client of clients.slice(1)) await client.login('ann')
      const bob = await signedIn(app, 'bob')
      return { app, clients, bob }
    }

    test('every session of the user is revoked and counted, and the cookies are cleared', async (t) => {
      const { clients, bob } = await three(t)
      const held = new Map(clients[0].cookies)
      const response = await clients[0].post('/logout-all')
      const body = answers(response, 200)
      assert.deepEqual(Object.keys(body).sort(), ['detail', 'revoked'])
      assert.equal(body.revoked, 3)
      assert.deepEqual(Object.keys(setCookies(response)).sort(), cookieNames)
      for (const [name, value] of held) clients[0].cookies.set(name, value)
      for (const client of clients) refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      answers(await bob.get('/me'), 200)
    })

    for (const query of ['keep_current=true', 'keep_current=1', 'keep_current=True']) {
      test(`?${query} keeps the current session and does not count it`, async (t) => {
        const { clients } = await three(t)
        const response = await clients[0].post(`/logout-all?${query}`)
        assert.equal(answers(response, 200).revoked, 2)
        assert.equal(response.headers['set-cookie'], undefined)
        answers(await clients[0].get('/me'), 200)
        for (const client of clients.slice(1))
          refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
        assert.equal(answers(await clients[0].post(`/logout-all?${query}`), 200).revoked, 0)
      })
    }

    for (const query of ['keep_current=false', 'keep_current=0', 'keep_current=', 'other=true']) {
      test(`?${query} revokes the current session too`, async (t) => {
        const { clients } = await three(t)
        assert.equal(answers(await clients[0].post(`/logout-all?${query}`), 200).revoked, 3)
      })
    }

    for (const query of [
      'keep_current=maybe',
      'keep_current=TRUTH',
      'keep_current=true&keep_current=false',
      'keep_current[]=true&keep_current=2',
    ]) {
      test(`?${query} gets 400 and revokes nothing`, async (t) => {
        const { clients } = await three(t)
        refusesOwn(await clients[0].post(`/logout-all?${query}`), 'FST_ERR_VALIDATION')
        for (const client of clients) answers(await client.get('/me'), 200)
      })
    }

    test('401 without a session, 403 without the CSRF header, and nothing is revoked', async (t) => {
      const { app, clients } = await three(t)
      refusesOwn(await new Client(app).post('/logout-all'), 'CRUDAUTH_UNAUTHENTICATED')
      clients[0].csrf = null
      refusesOwn(await clients[0].post('/logout-all'), 'CRUDAUTH_CSRF')
      for (const client of clients) answers(await client.get('/me'), 200)
    })

    test('a session is limited to ten an hour, unless it has just authenticated', async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), rateLimits: { register: false }, freshSeconds: 1 },
      })
      const client = await signedIn(app, 'ann')
      await wait(1100)
      for (let n = 1; n <= 10; n++) {
        const response = await client.post('/logout-all?keep_current=true')
        answers(response, 200)
        assert.equal(response.headers['x-ratelimit-limit'], '10')
        assert.equal(response.headers['x-ratelimit-remaining'], String(10 - n))
      }
      refusesOwn(await client.post('/logout-all?keep_current=true'), 'CRUDAUTH_RATE_LIMITED')
      answers(await client.get('/me'), 200)
      // The owner signs in after a thief has used up the limit.
      const owner = new Client(app)
      answers(await owner.login('ann'), 200)
      for (let n = 0; n < 12; n++) answers(await owner.post('/logout-all?keep_current=true'), 200)
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      const bob = await signedIn(app, 'bob')
      answers(await bob.post('/logout-all'), 200)
    })
  })
}

describe('management routes', () => {
  test('are off by default', async (t) => {
    for (const auth of [
      { transports: [sessionTransport()] },
      { transports: [sessionTransport({ managementRoutes: false })] },
    ]) {
      const app = await build(t, { auth })
      const client = await signedIn(app, 'ann')
      for (const [method, url] of [
        ['GET', '/sessions'],
        ['DELETE', '/sessions/x'],
        ['POST', '/logout-all'],
        ['POST', '/csrf/refresh'],
      ] as const) {
        assert.equal((await client.request(method, url)).statusCode, 404, url)
      }
    }
  })

  test('can be turned on by the routes option', async (t) => {
    const app = await build(t, {
      auth: { transports: [sessionTransport()], routes: ['account', 'session', 'management'] },
    })
    answers(await (await signedIn(app, 'ann')).get('/sessions'), 200)
  })
})

test('GET /sessions: sessions of an older secret are sorted by activity with the others', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const users = memoryUsers()
  const before = await build(t, { auth: { users } })
  const after = await build(t, { auth: { users, secret: [`${secret}-of-today`, secret] } })
  Object.assign(after.sessionStore, before.sessionStore)
  const old = new Client(after)
  for (const [name, value] of (await signedIn(before, 'ann')).cookies) old.cookies.set(name, value)
  t.mock.timers.tick(1000)
  answers(await new Client(after).login('ann'), 200)
  t.mock.timers.tick(600_000)
  answers(await old.get('/me'), 200)
  const list = answers(await old.get('/sessions'), 200)
  assert.deepEqual(
    list.map(({ current }: { current: boolean }) => current),
    [true, false],
  )
})
