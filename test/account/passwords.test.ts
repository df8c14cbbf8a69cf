import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { memoryUsers } from '../../src/index.js'
import { answers, refusesOwn } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { mountHandLogin } from '../helpers/users.js'

const next = 'another good phrase'

/** A client with a session of a user without a usable password. */
async function passwordless(app: FastifyInstance, hash?: string): Promise<Client> {
  await app.crudAuth.users.create({
    email: 'olga@example.com',
    username: 'olga',
    hashedPassword: hash ?? app.crudAuth.passwords.unusable(),
    isActive: true,
    tokenVersion: 0,
  })
  const client = new Client(app)
  client.csrf = (await client.post('/by-hand/olga')).json().csrf_token
  return client
}

describe('POST /change-password', () => {
  for (const backend of backends) {
    test(`${backend.name}: replaces the password and increments token_version`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const before = await app.crudAuth.users.findById(1)
      const body = answers(
        await client.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      assert.deepEqual(Object.keys(body), ['detail'])
      const after = await app.crudAuth.users.findById(1)
      assert.equal(after?.tokenVersion, 1)
      assert.notEqual(after?.hashedPassword, before?.hashedPassword)
      refusesOwn(await new Client(app).login('ann', password), 'CRUDAUTH_BAD_CREDENTIALS')
      answers(await new Client(app).login('ann', next), 200)
    })

    test(`${backend.name}: ends only the user's other sessions; the caller keeps session and CSRF token`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const caller = await signedIn(app, 'ann')
      const other = new Client(app)
      await other.login('ann')
      const bob = await signedIn(app, 'bob')
      answers(
        await caller.post('/change-password', { current_password: password, new_password: next }),
        200,
      )
      answers(await caller.get('/me'), 200)
      refusesOwn(await other.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      answers(await bob.get('/me'), 200)
      assert.equal(answers(await caller.get('/sessions'), 200).length, 1)
      answers(
        await caller.post('/change-password', {
          current_password: next,
          new_password: `${next} again`,
        }),
        200,
      )
      answers(await caller.post('/logout'), 200)
    })

    test(`${backend.name}: a wrong current password gets 401 and changes nothing`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const other = new Client(app)
      await other.login('ann')
      const before = await app.crudAuth.users.findById(1)
      for (const wrong of [
        'wrong password',
        `${password} `,
        next,
        String(before?.hashedPassword),
      ]) {
        const response = await client.post('/change-password', {
          current_password: wrong,
          new_password: next,
        })
        refusesOwn(response, 'CRUDAUTH_WRONG_PASSWORD', [wrong, next])
      }
      assert.deepEqual(await app.crudAuth.users.findById(1), before)
      answers(await other.get('/me'), 200)
    })

    test(`${backend.name}: the sixth attempt of a user gets 429, even with the right password`, async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), rateLimits: { register: false } },
      })
      const client = await signedIn(app, 'ann')
      const wrong = { current_password: 'wrong password', new_password: next }
      for (let n = 1; n <= 5; n++) {
        const response = await client.post('/change-password', wrong)
        refusesOwn(response, 'CRUDAUTH_WRONG_PASSWORD')
        assert.equal(response.headers['x-ratelimit-limit'], '5')
        assert.equal(response.headers['x-ratelimit-remaining'], String(5 - n))
      }
      const before = await app.crudAuth.users.findById(1)
      refusesOwn(
        await client.post('/change-password', { ...wrong, current_password: password }),
        'CRUDAUTH_RATE_LIMITED',
      )
      assert.deepEqual(await app.crudAuth.users.findById(1), before)
      // Another user at the same address has a separate limit.
      const bob = await signedIn(app, 'bob')
      answers(await bob.post('/change-password', { ...wrong, current_password: password }), 200)
    })

    test(`${backend.name}: of 10 parallel changes exactly one succeeds, and the caller stays signed in`, async (t) => {
      const app = await build(t, { auth: backend.options() })
      const client = await signedIn(app, 'ann')
      const all = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          client.post('/change-password', {
            current_password: password,
            new_password: `${next} ${n}`,
          }),
        ),
      )
      const won = all.findIndex(({ statusCode }) => statusCode === 200)
      assert.equal(all.filter(({ statusCode }) => statusCode === 200).length, 1)
      assert.equal((await app.crudAuth.users.findById(1))?.tokenVersion, 1)
      answers(await client.get('/me'), 200)
      answers(await new Client(app).login('ann', `${next} ${won}`), 200)
    })
  }

  test('checks session and CSRF header before it validates the body', async (t) => {
    const app = await build(t)
    const client = await signedIn(app, 'ann')
    refusesOwn(
      await new Client(app).post('/change-password', { nonsense: 1 }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    client.csrf = null
    refusesOwn(await client.post('/change-password', { nonsense: 1 }), 'CRUDAUTH_CSRF')
    assert.equal((await app.crudAuth.users.findById(1))?.tokenVersion, 0)
  })

  for (const body of [
    {},
    { current_password: password },
    { new_password: next },
    { current_password: '', new_password: next },
    { current_password: password, new_password: '' },
    { current_password: [password], new_password: next },
    { current_password: password, new_password: 12345678 },
    { current_password: password, new_password: null },
    { current_password: 'x'.repeat(1025), new_password: next },
  ]) {
    test(`rejects ${JSON.stringify(body).slice(0, 60)} with 400`, async (t) => {
      const app = await build(t)
      const client = await signedIn(app, 'ann')
      refusesOwn(await client.post('/change-password', body), 'FST_ERR_VALIDATION', [
        password,
        next,
      ])
      assert.equal((await app.crudAuth.users.findById(1))?.tokenVersion, 0)
    })
  }

  for (const weak of ['short', 'password', 'ann@example.com']) {
    test(`rejects "${weak}" as the new password with 400`, async (t) => {
      const app = await build(t)
      const client = await signedIn(app, 'ann')
      refusesOwn(
        await client.post('/change-password', { current_password: password, new_password: weak }),
        weak === 'short' ? 'CRUDAUTH_PASSWORD_TOO_SHORT' : 'CRUDAUTH_PASSWORD_TOO_COMMON',
      )
      assert.equal((await app.crudAuth.users.findById(1))?.tokenVersion, 0)
    })
  }

  test('an account without a usable password gets 400', async (t) => {
    const app = await build(t, { routes: mountHandLogin })
    const client = await passwordless(app)
    const before = await app.crudAuth.users.findById(1)
    refusesOwn(
      await client.post('/change-password', { current_password: password, new_password: next }),
      'CRUDAUTH_NO_PASSWORD',
    )
    assert.deepEqual(await app.crudAuth.users.findById(1), before)
  })

  test('without a token_version column the other sessions still end', async (t) => {
    const users = memoryUsers({ fields: ['email', 'username', 'hashedPassword'] })
    const app = await build(t, { auth: { users } })
    const client = await signedIn(app, 'ann')
    const other = new Client(app)
    await other.login('ann')
    answers(
      await client.post('/change-password', { current_password: password, new_password: next }),
      200,
    )
    answers(await client.get('/me'), 200)
    refusesOwn(await other.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
  })
})

describe('POST /set-password', () => {
  for (const backend of backends) {
    test(`${backend.name}: sets the first password and ends the other sessions`, async (t) => {
      const app = await build(t, { auth: backend.options(), routes: mountHandLogin })
      const client = await passwordless(app)
      const other = new Client(app)
      await other.post('/by-hand/olga')
      refusesOwn(await new Client(app).login('olga', next), 'CRUDAUTH_BAD_CREDENTIALS')
      const body = answers(await client.post('/set-password', { new_password: next }), 200)
      assert.deepEqual(Object.keys(body), ['detail'])
      answers(await client.get('/me'), 200)
      refusesOwn(await other.get('/me'), 'CRUDAUTH_UNAUTHENTICATED')
      assert.equal((await app.crudAuth.users.findById(1))?.tokenVersion, 1)
      answers(await new Client(app).login('olga', next), 200)
    })

    test(`${backend.name}: a session older than freshSeconds is refused until a new sign-in`, async (t) => {
      const app = await build(t, {
        auth: { ...backend.options(), freshSeconds: 1 },
        routes: mountHandLogin,
      })
      const client = await passwordless(app)
      await wait(1100)
      const before = await app.crudAuth.users.findById(1)
      refusesOwn(
        await client.post('/set-password', { new_password: next }),
        'CRUDAUTH_FRESH_SIGN_IN_REQUIRED',
        [next],
      )
      assert.deepEqual(await app.crudAuth.users.findById(1), before)
      client.csrf = (await client.post('/by-hand/olga')).json().csrf_token
      answers(await client.post('/set-password', { new_password: next }), 200)
    })
  }

  test('an empty, NULL or unusable hash counts as no password', async (t) => {
    for (const hash of ['', null, '!']) {
      const app = await build(t, { routes: mountHandLogin })
      const client = await passwordless(app, hash as string)
      answers(await client.post('/set-password', { new_password: next }), 200)
    }
  })

  test('an account that has a password gets 400 and keeps it', async (t) => {
    const app = await build(t)
    const client = await signedIn(app, 'ann')
    const before = await app.crudAuth.users.findById(1)
    refusesOwn(
      await client.post('/set-password', { new_password: next }),
      'CRUDAUTH_PASSWORD_EXISTS',
      [next],
    )
    assert.deepEqual(await app.crudAuth.users.findById(1), before)
  })

  test('of 10 parallel requests exactly one succeeds', async (t) => {
    const app = await build(t, { routes: mountHandLogin })
    const client = await passwordless(app)
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        client.post('/set-password', { new_password: `${next} ${n}` }),
      ),
    )
    assert.equal(all.filter(({ statusCode }) => statusCode === 200).length, 1)
    assert.ok(all.every(({ statusCode }) => statusCode === 200 || statusCode === 400))
    assert.equal((await app.crudAuth.users.findById(1))?.tokenVersion, 1)
  })

  test('anonymous gets 401, no CSRF header 403, a malformed body or weak password 400', async (t) => {
    const app = await build(t, { routes: mountHandLogin })
    const client = await passwordless(app)
    refusesOwn(
      await new Client(app).post('/set-password', { new_password: next }),
      'CRUDAUTH_UNAUTHENTICATED',
    )
    for (const body of [
      {},
      { new_password: '' },
      { new_password: [next] },
      { new_password: 'x'.repeat(1025) },
    ]) {
      refusesOwn(await client.post('/set-password', body), 'FST_ERR_VALIDATION')
    }
    for (const weak of ['short', 'password1', 'olga@example.com']) {
      refusesOwn(
        await client.post('/set-password', { new_password: weak }),
        weak === 'short' ? 'CRUDAUTH_PASSWORD_TOO_SHORT' : 'CRUDAUTH_PASSWORD_TOO_COMMON',
      )
    }
    const { csrf } = client
    client.csrf = null
    refusesOwn(await client.post('/set-password', { new_password: next }), 'CRUDAUTH_CSRF')
    client.csrf = csrf
    answers(await client.post('/set-password', { new_password: next }), 200)
  })
})
