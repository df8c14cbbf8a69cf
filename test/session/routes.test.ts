import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { sessionTransport } from '../../src/index.js'
import { answers, refusesOwn, setCookies } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { countingUsers } from '../helpers/users.js'

const lockout = { maxAttempts: 1000, maxAttemptsPerIp: 10_000 }
const sessionCookie = '__Host-crudauth_session'
const csrfCookie = 'csrf_token'
const deviceCookie = '__Host-crudauth_device'

const registered = async (app: FastifyInstance, name = 'ann') => {
  answers(await new Client(app).register(name), 201)
  return new Client(app)
}
const jsonLogin = (app: FastifyInstance, payload: unknown) =>
  app.inject({
    method: 'POST',
    url: '/login',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(payload),
  })

describe('POST /login', () => {
  for (const backend of backends) {
    test(`${backend.name}: form and JSON both return id, username and csrf_token`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await registered(app)
      const form = answers(await client.login('ann'), 200)
      assert.deepEqual(Object.keys(form).sort(), ['csrf_token', 'id', 'username'])
      assert.deepEqual([form.id, form.username], [1, 'ann'])
      assert.match(form.csrf_token, /^[\w-]{22,}$/)
      const json = answers(await jsonLogin(app, { username: 'ann', password }), 200)
      assert.deepEqual([json.id, json.username], [1, 'ann'])
      assert.notEqual(json.csrf_token, form.csrf_token)
    })

    test(`${backend.name}: signing in again starts a new session and revokes the request's own (session fixation)`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await registered(app)
      await client.login('ann')
      const first = client.cookies.get(sessionCookie) as string
      const firstCsrf = client.csrf
      // Signing in needs no CSRF header, whatever cookies the request carries.
      client.csrf = null
      answers(await client.login('ann'), 200)
      const second = client.cookies.get(sessionCookie) as string
      assert.notEqual(second, first)
      assert.notEqual(client.csrf, firstCsrf)
      refusesOwn(
        await app.inject({ url: '/me', cookies: { [sessionCookie]: first } }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
      assert.equal(answers(await client.get('/sessions'), 200).length, 1)
    })

    test(`${backend.name}: signing in as another user revokes the first user's session`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      await registered(app, 'ann')
      const client = await registered(app, 'bob')
      await client.login('ann')
      const anns = client.cookies.get(sessionCookie) as string
      await client.login('bob')
      refusesOwn(
        await app.inject({ url: '/me', cookies: { [sessionCookie]: anns } }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
      assert.equal(answers(await client.get('/me'), 200).username, 'bob')
    })

    test(`${backend.name}: a failed sign-in keeps the current session`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const response = await client.login('ann', 'wrong password')
      refusesOwn(response, 'CRUDAUTH_BAD_CREDENTIALS')
      assert.equal(response.headers['set-cookie'], undefined)
      answers(await client.get('/me'), 200)
    })

    test(`${backend.name}: a planted cookie value never becomes a session (session fixation)`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await registered(app)
      const planted = `${'A'.repeat(43)}.${'B'.repeat(22)}`
      client.cookies.set(sessionCookie, planted)
      answers(await client.login('ann'), 200)
      assert.notEqual(client.cookies.get(sessionCookie), planted)
      refusesOwn(
        await app.inject({ url: '/me', cookies: { [sessionCookie]: planted } }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
    })
  }

  test('an email address matches in its canonical form, a username only exactly', async (t) => {
    const app = await build(t, { auth: { lockout } })
    const client = await registered(app)
    for (const identifier of [
      'ann',
      'ann@example.com',
      'ANN@EXAMPLE.COM',
      ' Ann@Example.com ',
      'ａｎｎ＠example.com',
    ]) {
      answers(await client.login(identifier), 200)
    }
    for (const identifier of ['Ann', 'ANN', 'ann ', ' ann', 'ann@example.co', 'ann\0']) {
      refusesOwn(await client.login(identifier), 'CRUDAUTH_BAD_CREDENTIALS', [password])
    }
  })

  test('every failure gets the same response, whatever the reason (user enumeration)', async (t) => {
    const app = await build(t, { auth: { lockout } })
    for (const name of ['ann', 'disabled', 'malformed']) await registered(app, name)
    const base = { isActive: true, tokenVersion: 0 }
    await app.crudAuth.users.create({
      ...base,
      username: 'free',
      email: 'free@example.com',
      hashedPassword: '!x',
    })
    await app.crudAuth.users.create({
      ...base,
      username: 'none',
      email: 'none@example.com',
      hashedPassword: null,
    })
    await app.crudAuth.users.update(2, { isActive: false })
    await app.crudAuth.users.update(3, { hashedPassword: '$argon2id$v=19$m=1,t=x' })
    const bodies = new Set<string>()
    for (const [name, secret] of [
      ['nobody', password],
      ['nobody@example.com', password],
      ['ann', 'wrong password'],
      ['ann', 'x'],
      ['disabled', password],
      ['malformed', password],
      ['free', password],
      ['free', '!x'],
      ['none', password],
    ] as const) {
      const response = await new Client(app).login(name, secret)
      refusesOwn(response, 'CRUDAUTH_BAD_CREDENTIALS', [password])
      assert.equal(response.headers['set-cookie'], undefined)
      bodies.add(response.body)
    }
    assert.equal(bodies.size, 1)
  })

  test('unknown and known identifiers cost the same number of user-store reads', async (t) => {
    const users = countingUsers()
    const app = await build(t, { auth: { users: users.store } })
    await registered(app)
    const asked = async (identifier: string) => {
      const before = { ...users.calls }
      refusesOwn(
        await new Client(app).login(identifier, 'wrong password'),
        'CRUDAUTH_BAD_CREDENTIALS',
      )
      return [users.calls.findBy - before.findBy, users.calls.findById - before.findById]
    }
    assert.deepEqual(await asked('ann'), await asked('bob'))
    assert.deepEqual(await asked('ann@example.com'), await asked('bob@example.com'))
  })

  test('the stored hash does not work as a password', async (t) => {
    const app = await build(t)
    const client = await registered(app)
    const hash = String((await app.crudAuth.users.findById(1))?.hashedPassword)
    refusesOwn(await client.login('ann', hash), 'CRUDAUTH_BAD_CREDENTIALS', [hash])
  })

  test('the password is normalized to NFC and not trimmed', async (t) => {
    const app = await build(t)
    await new Client(app).register('ann', ' Zo\u00eb and I ')
    answers(await new Client(app).login('ann', ' Zoe\u0308 and I '), 200)
    refusesOwn(await new Client(app).login('ann', 'Zo\u00eb and I'), 'CRUDAUTH_BAD_CREDENTIALS')
  })

  const malformed: [what: string, body: unknown][] = [
    ['an empty object', {}],
    ['no password', { username: 'ann' }],
    ['no username', { password }],
    ['null for a username', { username: null, password }],
    ['a number for a username', { username: 1, password }],
    ['an array for a username', { username: ['ann'], password }],
    ['an object for a password', { username: 'ann', password: { $ne: '' } }],
    ['a boolean for a password', { username: 'ann', password: true }],
    ['a username of 321 characters', { username: 'a'.repeat(321), password }],
    ['a password of 1025 characters', { username: 'ann', password: 'a'.repeat(1025) }],
    ['a number for remember_me', { username: 'ann', password, remember_me: 1 }],
    ['null for remember_me', { username: 'ann', password, remember_me: null }],
  ]
  for (const [what, body] of malformed) {
    test(`${what} gets 400 and counts no attempt`, async (t) => {
      const app = await build(t, { auth: { lockout: { maxAttempts: 1 } } })
      await registered(app)
      for (let n = 0; n < 3; n++)
        refusesOwn(await jsonLogin(app, body), 'FST_ERR_VALIDATION', [password])
      answers(await new Client(app).login('ann'), 200)
    })
  }

  test('duplicate fields, a missing body, text/plain and bodies over 16 KiB are refused', async (t) => {
    const app = await build(t)
    await registered(app)
    const form = (payload: string, type = 'application/x-www-form-urlencoded') =>
      app.inject({ method: 'POST', url: '/login', headers: { 'content-type': type }, payload })
    refusesOwn(await form(`username=ann&username=bob&password=${password}`), 'FST_ERR_VALIDATION')
    refusesOwn(await form(`username=ann&password=x&password=${password}`), 'FST_ERR_VALIDATION')
    refusesOwn(await form(''), 'FST_ERR_VALIDATION')
    answers(await form(`username=ann&password=${password}`, 'text/plain'), 415)
    answers(await form(`username=ann&password=${'x'.repeat(16_400)}`), 413)
    answers(await app.inject({ method: 'POST', url: '/login' }), 400)
    answers(
      await form(
        `username=ann&password=${encodeURIComponent(password)}`,
        'Application/X-WWW-Form-Urlencoded; charset=UTF-8',
      ),
      200,
    )
  })

  for (const [words, remembered] of [
    [['true', '1', 'on', 'yes', 'y', 't', 'TRUE', 'Yes'], true],
    [['false', '0', 'off', '', 'no', 'n', 'f', 'NO', 'False'], false],
  ] as const) {
    for (const word of words) {
      test(`remember_me "${word}" means ${remembered}, in forms and JSON`, async (t) => {
        const app = await build(t)
        const client = await registered(app)
        for (const response of [
          await client.login('ann', password, { remember_me: word }),
          await jsonLogin(app, { username: 'ann', password, remember_me: word }),
          await jsonLogin(app, { username: 'ann', password, remember_me: remembered }),
        ]) {
          answers(response, 200)
          assert.equal(
            setCookies(response)[sessionCookie]?.maxAge,
            remembered ? 30 * 86_400 : undefined,
          )
        }
      })
    }
  }

  for (const word of ['2', 'maybe', ' true', 'null', 'on,off', 'ｙｅｓ']) {
    test(`remember_me "${word}" gets 400`, async (t) => {
      const app = await build(t)
      const client = await registered(app)
      refusesOwn(await client.login('ann', password, { remember_me: word }), 'FST_ERR_VALIDATION')
      assert.equal(client.cookies.size, 0)
    })
  }

  test('csrf: false returns csrf_token null and sets no CSRF cookie', async (t) => {
    const app = await build(t, { auth: { transports: [sessionTransport({ csrf: false })] } })
    const client = await registered(app)
    const response = await client.login('ann')
    assert.equal(answers(response, 200).csrf_token, null)
    assert.deepEqual(Object.keys(setCookies(response)).sort(), [deviceCookie, sessionCookie])
    const out = await client.post('/logout')
    answers(out, 200)
    assert.deepEqual(Object.keys(setCookies(out)), [sessionCookie])
  })

  test('a hash with outdated parameters is rehashed, and other sessions stay signed in', async (t) => {
    const users = countingUsers()
    const before = await build(t, { auth: { users: users.store } })
    await signedIn(before, 'ann')
    const app = await build(t, {
      auth: {
        users: users.store,
        passwords: { cost: { memoryKiB: 128, iterations: 1, parallelism: 1 } },
      },
    })
    const [first, second] = [new Client(app), new Client(app)]
    answers(await first.login('ann'), 200)
    const row = await app.crudAuth.users.findById(1)
    assert.match(String(row?.hashedPassword), /m=128,/)
    assert.equal(row?.tokenVersion, 0)
    answers(await second.login('ann'), 200)
    assert.deepEqual(await app.crudAuth.users.findById(1), row)
    answers(await first.get('/me'), 200)
    answers(await second.get('/me'), 200)
  })
})

describe('POST /logout', () => {
  for (const backend of backends) {
    test(`${backend.name}: the session is revoked and its cookies are cleared`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const value = client.cookies.get(sessionCookie) as string
      const response = await client.post('/logout')
      assert.deepEqual(Object.keys(answers(response, 200)), ['detail'])
      assert.deepEqual(Object.keys(setCookies(response)).sort(), [sessionCookie, csrfCookie])
      refusesOwn(
        await app.inject({ url: '/me', cookies: { [sessionCookie]: value } }),
        'CRUDAUTH_UNAUTHENTICATED',
      )
    })

    test(`${backend.name}: the user's other sessions stay signed in`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const other = new Client(app)
      await other.login('ann')
      answers(await client.post('/logout'), 200)
      answers(await other.get('/me'), 200)
    })

    test(`${backend.name}: 401 without an active session, and no cookie is cleared`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const held = new Map(client.cookies)
      await client.post('/logout')
      for (const cookies of [held, new Map<string, string>()]) {
        const stale = new Client(app)
        for (const [name, value] of cookies) stale.cookies.set(name, value)
        const response = await stale.post('/logout')
        refusesOwn(response, 'CRUDAUTH_UNAUTHENTICATED', [...held.values()])
        assert.equal(response.headers['set-cookie'], undefined)
      }
    })

    test(`${backend.name}: 403 without a valid CSRF token, and the session and its cookies are kept`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const { csrf } = client
      for (const wrong of [null, '', 'x', `${csrf}x`, 'A'.repeat(43)]) {
        client.csrf = wrong
        const response = await client.post('/logout')
        refusesOwn(response, 'CRUDAUTH_CSRF')
        assert.equal(response.headers['x-csrf-error'], 'true')
        assert.equal(response.headers['set-cookie'], undefined)
      }
      client.csrf = csrf
      answers(await client.get('/me'), 200)
    })
  }

  test('an empty body with a JSON or form content type is accepted', async (t) => {
    const app = await build(t)
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      const client = await signedIn(app, type.slice(12, 16))
      answers(
        await client.post('/logout', undefined, { headers: { 'content-type': type }, payload: '' }),
        200,
      )
    }
  })
})
