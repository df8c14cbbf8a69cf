import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

describe('an identity of an email alone', () => {
  const auth = () => ({
    users: memoryUsers({ fields: ['email', 'hashedPassword', 'isActive', 'tokenVersion'] }),
    identity: { login: ['email'] },
  })

  test('registers, signs in and answers null for the username', async (t) => {
    const app = await build(t, { auth: auth() })
    const client = new Client(app)
    const body = answers(
      await client.post('/register', { email: 'Ann@Example.com', password }),
      201,
    )
    assert.deepEqual(body, { id: 1, email: 'ann@example.com', username: null })
    const login = answers(await client.login('ANN@example.com'), 200)
    assert.deepEqual(Object.keys(login), ['id', 'username', 'csrf_token'])
    assert.equal(login.username, null)
    assert.deepEqual(answers(await client.get('/me'), 200), {
      id: 1,
      user_id: 1,
      email_verified: null,
      has_password: true,
      username: null,
      email: 'ann@example.com',
      is_superuser: false,
      scopes: [],
      via: 'session',
    })
  })

  test('needs the email and ignores a username', async (t) => {
    const app = await build(t, { auth: auth() })
    refusesOwn(
      await new Client(app).post('/register', { username: 'ann', password }),
      'FST_ERR_VALIDATION',
    )
    answers(
      await new Client(app).post('/register', {
        email: 'ann@example.com',
        username: 'ann',
        password,
      }),
      201,
    )
    refusesOwn(await new Client(app).login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
  })
})

describe('an identity of a username alone, without recovery', () => {
  test('registers and signs in by the exact username', async (t) => {
    const app = await build(t, {
      auth: {
        users: memoryUsers({ fields: ['username', 'hashedPassword'] }),
        identity: { login: ['username'], recovery: null },
      },
    })
    const client = new Client(app)
    assert.deepEqual(answers(await client.post('/register', { username: 'Ann', password }), 201), {
      id: 1,
      email: null,
      username: 'Ann',
    })
    refusesOwn(await client.login('ann'), 'CRUDAUTH_BAD_CREDENTIALS')
    answers(await client.login('Ann'), 200)
    assert.equal(answers(await client.get('/me'), 200).email, null)
  })
})

describe('an identity of a phone number', () => {
  const auth = () => ({
    users: memoryUsers({
      fields: ['phone', 'phoneVerified', 'hashedPassword', 'isActive', 'tokenVersion'],
    }),
    identity: { login: ['phone'], recovery: 'phone' },
  })

  test('takes E.164 alone', async (t) => {
    const app = await build(t, { auth: auth() })
    for (const phone of [
      '0151 2345678',
      '+0151234567',
      '+49',
      '+4915112345678x',
      '004915112345678',
      '+49 151 12345678',
    ]) {
      refusesOwn(
        await new Client(app).post('/register', { phone, password }),
        'CRUDAUTH_PHONE_INVALID',
      )
    }
    assert.equal(await app.crudAuth.users.findById(1), null)
    answers(await new Client(app).post('/register', { phone: '+4915112345678', password }), 201)
    assert.equal(
      ((await app.crudAuth.users.findById(1)) as Record<string, unknown>).phoneVerified,
      false,
    )
  })

  test('signs in by it, and a gate’s verified means the phone', async (t) => {
    const app = await build(t, {
      auth: auth(),
      routes: (app) =>
        void app.get(
          '/verified',
          { onRequest: app.currentUser({ verified: true }) },
          async () => 'in',
        ),
    })
    const client = new Client(app)
    await client.post('/register', { phone: '+4915112345678', password })
    answers(await client.login('+4915112345678'), 200)
    assert.equal((await client.get('/verified')).json().code, 'CRUDAUTH_NOT_VERIFIED')
    await app.crudAuth.users.update(1, { phoneVerified: true })
    assert.equal((await client.get('/verified')).statusCode, 200)
  })
})

describe('the order of login fields', () => {
  for (const [login, expected] of [
    [['email', 'username'], 1],
    [['username', 'email'], 2],
  ] as const) {
    test(`${login.join(', ')}: an identifier that is two users’ names the first field’s`, async (t) => {
      const app = await build(t, { auth: { identity: { login } } })
      const hash = await app.crudAuth.passwords.hash(password)
      const base = { hashedPassword: hash, isActive: true, tokenVersion: 0 }
      await app.crudAuth.users.create({ ...base, email: 'both@example.com', username: 'first' })
      // An older user of the app's, of before usernames like emails were refused.
      await app.crudAuth.users.create({
        ...base,
        email: 'second@example.com',
        username: 'both@example.com',
      })
      assert.equal(answers(await new Client(app).login('both@example.com'), 200).id, expected)
    })
  }
})
