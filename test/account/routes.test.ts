import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers, sessionTransport } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { countingUsers } from '../helpers/users.js'

const ann = { email: 'ann@example.com', username: 'ann', password }
const _limits = { change_password: false, logout_all: false, csrf_refresh: false } as const

describe('POST /register', () => {
  test('returns 201 with id, email and username, and creates no session', async (t) => {
    const app = await build(t)
    const response = await new Client(app).post('/register', ann)
    assert.deepEqual(answers(response, 201), { id: 1, email: 'ann@example.com', username: 'ann' })
    assert.equal(response.headers['set-cookie'], undefined)
    assert.equal(response.headers['x-ratelimit-limit'], undefined)
  })

  test('stores the email in its canonical form and the username in NFC', async (t) => {
    const app = await build(t)
    const response = await new Client(app).post('/register', {
      email: '  ANN.Lee@BÜCHER.example ',
      username: 'Zoe\u0308',
      password,
    })
    assert.deepEqual(answers(response, 201), {
      id: 1,
      email: 'ann.lee@xn--bcher-kva.example',
      username: 'Zo\u00eb',
    })
    const row = await app.crudAuth.users.findById(1)
    assert.equal(row?.email, 'ann.lee@xn--bcher-kva.example')
  })

  test('a new account is active, unverified, no superuser, with an argon2id hash', async (t) => {
    const app = await build(t)
    await new Client(app).post('/register', ann)
    const row = await app.crudAuth.users.findById(1)
    assert.match(String(row?.hashedPassword), /^\$argon2id\$/)
    assert.deepEqual(
      [row?.isActive, row?.isSuperuser, row?.emailVerified, row?.tokenVersion],
      [true, false, false, 0],
    )
  })

  test('mass assignment: members outside extraFields are ignored', async (t) => {
    const app = await build(t)
    const response = await new Client(app).post('/register', {
      ...ann,
      id: 7,
      is_superuser: true,
      isSuperuser: true,
      is_active: false,
      hashed_password: 'x',
      hashedPassword: 'x',
      email_verified: true,
      emailVerified: true,
      token_version: 9,
      googleId: 'g',
      plan: 'gold',
      constructor: 1,
    })
    assert.deepEqual(answers(response, 201), { id: 1, email: ann.email, username: 'ann' })
    const row = (await app.crudAuth.users.findById(1)) as Record<string, unknown>
    assert.deepEqual(
      [row.isSuperuser, row.isActive, row.emailVerified, row.tokenVersion, row.googleId, row.plan],
      [false, true, false, 0, null, undefined],
    )
    assert.match(String(row.hashedPassword), /^\$argon2id\$/)
  })

  const malformed: [what: string, body: unknown, code: string][] = [
    ['an empty object', {}, 'FST_ERR_VALIDATION'],
    ['null', null, 'FST_ERR_VALIDATION'],
    ['an array', [], 'FST_ERR_VALIDATION'],
    ['a string', '"x"', 'FST_ERR_VALIDATION'],
    ['no email', { username: 'ann', password }, 'FST_ERR_VALIDATION'],
    ['no username', { email: ann.email, password }, 'FST_ERR_VALIDATION'],
    ['no password', { email: ann.email, username: 'ann' }, 'FST_ERR_VALIDATION'],
    ['null for a password', { ...ann, password: null }, 'FST_ERR_VALIDATION'],
    ['a number for a password', { ...ann, password: 1234567890 }, 'FST_ERR_VALIDATION'],
    ['an array for a password', { ...ann, password: [password] }, 'FST_ERR_VALIDATION'],
    ['a number for a username', { ...ann, username: 12345 }, 'FST_ERR_VALIDATION'],
    ['an array for an email', { ...ann, email: [ann.email] }, 'FST_ERR_VALIDATION'],
    ['an empty password', { ...ann, password: '' }, 'FST_ERR_VALIDATION'],
    ['an empty username', { ...ann, username: '' }, 'FST_ERR_VALIDATION'],
    [
      'a password of 1025 characters',
      { ...ann, password: 'a b'.repeat(342).slice(0, 1025) },
      'FST_ERR_VALIDATION',
    ],
    [
      'a password of 1025 code points in 2050 UTF-16 units',
      { ...ann, password: '🔑'.repeat(1025) },
      'FST_ERR_VALIDATION',
    ],
    [
      'an email of 321 characters',
      { ...ann, email: `${'a'.repeat(309)}@example.com` },
      'FST_ERR_VALIDATION',
    ],
    ['a username of 257 characters', { ...ann, username: 'a'.repeat(257) }, 'FST_ERR_VALIDATION'],
    ['an email without @', { ...ann, email: 'ann.example.com' }, 'CRUDAUTH_EMAIL_INVALID'],
    [
      'an email with a line break',
      { ...ann, email: 'ann@example.com\r\nBcc: x@y.z' },
      'CRUDAUTH_EMAIL_INVALID',
    ],
    ['an email with two @', { ...ann, email: 'ann@b@example.com' }, 'CRUDAUTH_EMAIL_INVALID'],
    [
      'a username that looks like an email',
      { ...ann, username: 'bob@example.com' },
      'CRUDAUTH_USERNAME_INVALID',
    ],
    [
      'a username with a full-width @',
      { ...ann, username: 'bob\uff20example.com' },
      'CRUDAUTH_USERNAME_INVALID',
    ],
    ['a username with a NUL', { ...ann, username: 'an\0n' }, 'CRUDAUTH_USERNAME_INVALID'],
    [
      'a username with an invisible character',
      { ...ann, username: 'an\u200bn' },
      'CRUDAUTH_USERNAME_INVALID',
    ],
    ['a password of 7 characters', { ...ann, password: '1x3y5z7' }, 'CRUDAUTH_PASSWORD_TOO_SHORT'],
    [
      'a password of 7 code points in 14 UTF-16 units',
      { ...ann, password: '🔑'.repeat(7) },
      'CRUDAUTH_PASSWORD_TOO_SHORT',
    ],
    ['a common password', { ...ann, password: 'Password1' }, 'CRUDAUTH_PASSWORD_TOO_COMMON'],
    [
      'the email as password',
      { ...ann, password: 'ANN@example.com' },
      'CRUDAUTH_PASSWORD_TOO_COMMON',
    ],
    [
      'the username as password',
      { email: ann.email, username: 'annabelle', password: 'annabelle' },
      'CRUDAUTH_PASSWORD_TOO_COMMON',
    ],
  ]
  for (const [what, body, code] of malformed) {
    test(`rejects ${what} with 400 and stores nothing`, async (t) => {
      const users = countingUsers()
      const app = await build(t, { auth: { users: users.store } })
      const response = await app.inject({
        method: 'POST',
        url: '/register',
        headers: { 'content-type': 'application/json' },
        payload: typeof body === 'string' ? body : JSON.stringify(body),
      })
      refusesOwn(response, code, [password])
      assert.equal(users.writes(), 0)
    })
  }

  const broken: [
    what: string,
    type: string | undefined,
    payload: string | Buffer | undefined,
    status: number,
  ][] = [
    ['no body', undefined, undefined, 400],
    ['an empty JSON body', 'application/json', '', 400],
    ['truncated JSON', 'application/json', '{"email":', 400],
    [
      'a __proto__ member',
      'application/json',
      `{"__proto__":{"isSuperuser":true},"password":"${password}"}`,
      400,
    ],
    [
      'a constructor.prototype member',
      'application/json',
      '{"constructor":{"prototype":{"a":1}}}',
      400,
    ],
    ['invalid UTF-8', 'application/json', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400],
    ['plain text', 'text/plain', JSON.stringify(ann), 415],
    ['XML', 'application/xml', '<a/>', 415],
    ['a multipart form', 'multipart/form-data; boundary=x', '--x--', 415],
    [
      'a body of more than 16 KiB',
      'application/json',
      JSON.stringify({ ...ann, more: 'x'.repeat(16_384) }),
      413,
    ],
  ]
  for (const [what, type, payload, status] of broken) {
    test(`rejects ${what} with ${status} and stores nothing`, async (t) => {
      const users = countingUsers()
      const app = await build(t, { auth: { users: users.store } })
      const response = await app.inject({
        method: 'POST',
        url: '/register',
        ...(type && { headers: { 'content-type': type } }),
        ...(payload !== undefined && { payload }),
      })
      answers(response, status)
      assert.equal(users.writes(), 0)
    })
  }

  test('validates the body for any spelling of the JSON content type', async (t) => {
    const app = await build(t)
    for (const type of [
      'Application/JSON',
      'application/json; charset=utf-8',
      'application/json;charset="utf-8"',
    ]) {
      const send = (body: object) =>
        app.inject({
          method: 'POST',
          url: '/register',
          headers: { 'content-type': type },
          payload: JSON.stringify(body),
        })
      refusesOwn(await send({ ...ann, password: ['x'] }), 'FST_ERR_VALIDATION')
    }
  })

  test('accepts passwords of 8 to 1024 code points, with spaces and in any script', async (t) => {
    const app = await build(t)
    const client = new Client(app)
    const passwords = [
      '🔑'.repeat(8),
      `${'ab '.repeat(341)}z`,
      '🔑'.repeat(1024),
      '   spaces around   ',
      'Пароль-из-слов',
    ]
    for (const [index, secret] of passwords.entries()) {
      answers(await client.register(`user${index}`, secret), 201)
      answers(await new Client(app).login(`user${index}`, secret), 200)
    }
  })

  test('a taken username, or another spelling of a taken email, gets 409 and changes nothing', async (t) => {
    const app = await build(t)
    const client = new Client(app)
    await client.post('/register', ann)
    const before = await app.crudAuth.users.findById(1)
    const username = await client.post('/register', { ...ann, email: 'other@example.com' })
    refusesOwn(username, 'CRUDAUTH_DUPLICATE', [password])
    assert.match(username.json().message, /username/)
    const email = await client.post('/register', {
      ...ann,
      email: 'ＡNN@Example.COM',
      username: 'other',
    })
    refusesOwn(email, 'CRUDAUTH_DUPLICATE', [password])
    assert.match(email.json().message, /email/)
    assert.deepEqual(await app.crudAuth.users.findById(1), before)
    assert.equal(await app.crudAuth.users.findById(2), null)
  })

  test('usernames that differ only in case are distinct', async (t) => {
    const app = await build(t)
    answers(await new Client(app).post('/register', ann), 201)
    answers(
      await new Client(app).post('/register', {
        ...ann,
        username: 'Ann',
        email: 'ann2@example.com',
      }),
      201,
    )
  })

  test('of 20 parallel registrations one creates the account, the others get 409', async (t) => {
    const app = await build(t)
    const all = await Promise.all(
      Array.from({ length: 20 }, () => new Client(app).post('/register', ann)),
    )
    assert.equal(all.filter(({ statusCode }) => statusCode === 201).length, 1)
    for (const response of all.filter(({ statusCode }) => statusCode !== 201))
      refusesOwn(response, 'CRUDAUTH_DUPLICATE')
    assert.equal(await app.crudAuth.users.findById(2), null)
  })

  for (const backend of backends) {
    test(`${backend.name}: rate limit: a registration beyond the limit of an address gets 429 and creates nothing`, async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), rateLimits: { register: { max: 5, windowSeconds: 3600 } } },
      })
      const from = (remoteAddress: string, n: number) =>
        new Client(app, '', { remoteAddress }).register(`user${n}`)
      for (let n = 1; n <= 5; n++) {
        const response = await from('203.0.113.9', n)
        answers(response, 201)
        assert.equal(response.headers['x-ratelimit-limit'], '5')
        assert.equal(response.headers['x-ratelimit-remaining'], String(5 - n))
        const reset = Number(response.headers['x-ratelimit-reset'])
        assert.ok(Number.isInteger(reset) && reset >= 1 && reset <= 3600, String(reset))
      }
      const sixth = await from('203.0.113.9', 6)
      refusesOwn(sixth, 'CRUDAUTH_RATE_LIMITED', [password])
      assert.equal(sixth.headers['x-ratelimit-remaining'], '0')
      assert.equal(sixth.headers['retry-after'], sixth.headers['x-ratelimit-reset'])
      assert.equal(await app.crudAuth.users.findById(6), null)
      answers(await from('203.0.113.10', 7), 201)
      refusesOwn(await from('::ffff:203.0.113.9', 8), 'CRUDAUTH_RATE_LIMITED')
    })

    test(`${backend.name}: rate limit: an IPv6 /64 network counts as one address`, async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), rateLimits: { register: { max: 1, windowSeconds: 60 } } },
      })
      const from = (remoteAddress: string, name: string) =>
        new Client(app, '', { remoteAddress }).register(name)
      answers(await from('2001:db8:1:2::1', 'a1'), 201)
      refusesOwn(await from('2001:db8:1:2:ffff::9', 'a2'), 'CRUDAUTH_RATE_LIMITED')
      answers(await from('2001:db8:1:3::1', 'a3'), 201)
    })

    test(`${backend.name}: rate limit: X-Forwarded-For counts only with trustProxy`, async (t) => {
      const auth = { ...backend.options(), rateLimits: { register: { max: 1, windowSeconds: 60 } } }
      const bare = await build(t, { auth })
      const send = (app: typeof bare, ip: string, name: string) =>
        new Client(app, '', { headers: { 'x-forwarded-for': ip } }).register(name)
      answers(await send(bare, '198.51.100.1', 'a1'), 201)
      refusesOwn(await send(bare, '198.51.100.2', 'a2'), 'CRUDAUTH_RATE_LIMITED')

      const trusting = await build(t, {
        auth: { ...backend.options(), rateLimits: { register: { max: 1, windowSeconds: 60 } } },
        fastify: { trustProxy: ['127.0.0.1'] },
      })
      answers(await send(trusting, '198.51.100.1', 'b1'), 201)
      answers(await send(trusting, '198.51.100.2', 'b2'), 201)
      refusesOwn(await send(trusting, '198.51.100.2', 'b3'), 'CRUDAUTH_RATE_LIMITED')
    })
  }

  test('rate limit: invalid bodies and weak passwords are not counted and still get 400 beyond it', async (t) => {
    const users = countingUsers()
    const app = await build(t, {
      auth: { users: users.store, rateLimits: { register: { max: 1, windowSeconds: 60 } } },
    })
    const refused = async () => {
      refusesOwn(await new Client(app).post('/register', {}), 'FST_ERR_VALIDATION')
      refusesOwn(
        await new Client(app).post('/register', { ...ann, password: 'short' }),
        'CRUDAUTH_PASSWORD_TOO_SHORT',
      )
    }
    for (let n = 0; n < 5; n++) await refused()
    assert.equal(users.writes(), 0)
    answers(await new Client(app).post('/register', ann), 201)
    refusesOwn(
      await new Client(app).post('/register', { ...ann, email: 'b@example.com', username: 'b' }),
      'CRUDAUTH_RATE_LIMITED',
    )
    await refused()
    assert.equal(users.writes(), 1)
  })

  test('passwords, hashes, CSRF tokens and cookies are never logged', async (t) => {
    const { lines, logger } = captureLogs()
    const app = await build(t, { fastify: { logger } })
    await new Client(app).post('/register', ann)
    await new Client(app).post('/register', ann)
    const client = new Client(app)
    await client.login('ann')
    await client.post('/change-password', {
      current_password: password,
      new_password: 'another good phrase',
    })
    const log = lines.join('')
    assert.ok(log.includes('/register'), 'the log was captured')
    for (const secret of [
      password,
      'another good phrase',
      '$argon2',
      client.csrf ?? '?',
      ...client.cookies.values(),
    ]) {
      assert.ok(!log.includes(secret))
    }
  })
})

describe('GET /me', () => {
  for (const backend of backends) {
    test(`${backend.name}: returns the documented members of the caller and no other column`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      assert.deepEqual(answers(await client.get('/me'), 200), {
        id: 1,
        user_id: 1,
        username: 'ann',
        email: 'ann@example.com',
        email_verified: false,
        has_password: true,
        is_superuser: false,
        scopes: [],
        via: 'session',
      })
    })

    test(`${backend.name}: a missing, unknown or ended session gets 401`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      refusesOwn(await app.inject('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      const client = await signedIn(app, 'ann')
      const [name, value] = [...client.cookies].find(([key]) => key.endsWith('session')) as [
        string,
        string,
      ]
      const flipped = `${value.startsWith('A') ? 'B' : 'A'}${value.slice(1)}`
      refusesOwn(
        await app.inject({ url: '/me', cookies: { [name]: flipped } }),
        'CRUDAUTH_UNAUTHENTICATED',
        [value],
      )
      await client.post('/logout')
      refusesOwn(
        await app.inject({ url: '/me', cookies: { [name]: value } }),
        'CRUDAUTH_UNAUTHENTICATED',
        [value],
      )
    })

    test(`${backend.name}: a disabled account's session is refused`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      await app.crudAuth.users.update(1, { isActive: false })
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test(`${backend.name}: a raised token_version ends the session`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      await app.crudAuth.users.update(1, { tokenVersion: 1 })
      refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
    })
  }

  test('a session whose user was deleted gets 401', async (t) => {
    const users = memoryUsers()
    let gone = false
    const app = await build(t, {
      auth: { users: { ...users, findById: async (id) => (gone ? null : users.findById(id)) } },
    })
    const client = await signedIn(app, 'ann')
    gone = true
    refusesOwn(await client.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('scopes come from the session transport, is_superuser from the row', async (t) => {
    const app = await build(t, {
      auth: { transports: [sessionTransport({ scopes: ['read', 'write'] })] },
    })
    const client = await signedIn(app, 'ann')
    await app.crudAuth.users.update(1, { isSuperuser: true })
    const body = answers(await client.get('/me'), 200)
    assert.deepEqual(body.scopes, ['read', 'write'])
    assert.equal(body.is_superuser, true)
  })

  test('a user id in the query, headers or body is ignored', async (t) => {
    const app = await build(t)
    await signedIn(app, 'ann')
    const bob = await signedIn(app, 'bob')
    const response = await bob.get('/me?user_id=1&userId=1&sub=1&id=1', {
      headers: { 'x-user-id': '1', 'user-id': '1', sub: '1' },
      payload: { user_id: 1, userId: 1, sub: '1', id: 1 },
    })
    assert.equal(answers(response, 200).user_id, 2)
  })

  test('HEAD requires authentication like GET', async (t) => {
    const app = await build(t)
    const client = await signedIn(app, 'ann')
    assert.equal((await app.inject({ method: 'HEAD', url: '/me' })).statusCode, 401)
    const cookie = [...client.cookies].map((pair) => pair.join('=')).join('; ')
    assert.equal(
      (await app.inject({ method: 'HEAD', url: '/me', headers: { cookie } })).statusCode,
      200,
    )
  })
})
