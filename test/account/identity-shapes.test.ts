import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { build, password } from '../helpers/build.js'
import { Client } from '../helpers/client.js'

describe('identity: email only', () => {
  const auth = () => ({
    users: memoryUsers({ fields: ['email', 'hashedPassword', 'isActive', 'tokenVersion'] }),
    identity: { login: ['email'] },
  })

  test('registers, signs in and returns null for the username', async (t) => {
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

  test('requires the email and ignores a username', async (t) => {
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

describe('identity: username only, without recovery', () => {
  test('registers and signs in with the exact username', async (t) => {
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

describe('identity: phone number', () => {
  const auth = () => ({
    users: memoryUsers({
      fields: ['phone', 'phoneVerified', 'hashedPassword', 'isActive', 'tokenVersion'],
    }),
    identity: { login: ['phone'], recovery: 'phone' },
  })

  test('accepts only E.164 phone numbers', async (t) => {
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

  test('signs in with the phone number; the gate option verified checks phoneVerified', async (t) => {
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

describe('identity.login: order of the fields', () => {
  for (const [login, expected] of [
    [['email', 'username'], 1],
    [['username', 'email'], 2],
  ] as const) {
    test(`${login.join(', ')}: an identifier that matches two users resolves by the first field`, async (t) => {
      const app = await build(t, { auth: { identity: { login } } })
      const hash = await app.crudAuth.passwords.hash(password)
      const base = { hashedPassword: hash, isActive: true, tokenVersion: 0 }
      await app.crudAuth.users.create({ ...base, email: 'both@example.com', username: 'first' })
      // A legacy row from before usernames that look like emails were refused.
      await app.crudAuth.users.create({
        ...base,
        email: 'second@example.com',
        username: 'both@example.com',
      })
      assert.equal(answers(await new Client(app).login('both@example.com'), 200).id, expected)
    })
  }
})
