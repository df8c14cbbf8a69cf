import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type CrudAuthOptions, sessionTransport, type Transport } from '../../src/index.js'
import { answers } from '../helpers/answers.js'
import { backends } from '../helpers/backends.js'
import { build, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { refuses } from '../helpers/refuses.js'
import { mountHandLogin } from '../helpers/users.js'

const routes = (app: FastifyInstance) => {
  app.post('/sudo', { preHandler: app.currentUser() }, async (request) => ({
    until: await app.crudAuth.sudo.elevate(request, request.body as { password: string }),
  }))
  app.delete(
    '/account',
    { preHandler: [app.currentUser(), app.requireSudo] },
    async () => 'deleted',
  )
  app.get('/alone', { onRequest: app.requireSudo }, async (request) => ({
    id: request.principal.userId,
  }))
  app.post('/keys', { onRequest: app.requireFresh }, async () => 'added')
  app.post('/twice', { onRequest: app.currentUser() }, async (request) => {
    const { first, second } = request.body as Record<string, string>
    const outcome = (secret = '') =>
      app.crudAuth.sudo.elevate(request, { password: secret }).then(
        () => 'up',
        (error) => error.code,
      )
    return [await outcome(first), await outcome(second)]
  })
}

const apiKey: Transport = {
  name: 'key',
  async authenticate(request, auth) {
    if (request.headers['x-api-key'] !== 'k') return null
    const user = await auth.users.findBy('username', 'ann')
    return user && auth.createPrincipal(user, { transport: 'key', authenticatedAtMs: Date.now() })
  },
}

for (const backend of backends) {
  describe(`${backend.name}: sudo`, () => {
    const start = async (t: Parameters<typeof build>[0], auth: Partial<CrudAuthOptions> = {}) => {
      const app = await build(t, { auth: { ...backend.options(), ...auth }, routes })
      return { app, client: await signedIn(app, 'ann') }
    }
    const elevate = (client: Client, secret = password) =>
      client.post('/sudo', { password: secret })

    test('sudo: the right password elevates only this session, for the window', async (t) => {
      const { app, client } = await start(t)
      const other = new Client(app)
      await other.login('ann')
      refuses(await client.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
      const before = Date.now()
      const response = await elevate(client)
      assert.equal(response.statusCode, 200)
      const until = Date.parse(response.json().until)
      assert.ok(until >= before + 300_000 && until <= Date.now() + 300_000)
      assert.equal((await client.delete('/account')).body, 'deleted')
      assert.deepEqual((await client.get('/alone')).json(), { id: 1 })
      refuses(await other.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('sudo: the elevation ends after the window', async (t) => {
      const { client } = await start(t, { sudo: { windowSeconds: 1 } })
      await elevate(client)
      await wait(1100)
      refuses(await client.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('sudo: the elevation ends with the session, and a new sign-in starts without it', async (t) => {
      const { client } = await start(t)
      await elevate(client)
      await client.login('ann')
      refuses(await client.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
      await client.post('/logout')
      refuses(await client.delete('/account'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('sudo: three wrong passwords lock out this session for lockoutSeconds, login still works', async (t) => {
      const { app, client } = await start(t)
      for (let n = 0; n < 3; n++)
        refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD', [
          'wrong password',
        ])
      const fourth = await elevate(client)
      refuses(fourth, 'CRUDAUTH_LOCKED_OUT', [password])
      const seconds = Number(fourth.headers['retry-after'])
      assert.ok(seconds > 840 && seconds <= 900, String(seconds))
      refuses(await client.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
      answers(await client.get('/me'), 200)
      const other = new Client(app)
      answers(await other.login('ann'), 200)
      // Brute force from a stolen session does not lock out the owner's other sessions.
      assert.equal((await elevate(other)).statusCode, 200)
    })

    test('sudo: all sessions of a user share ten times the attempts of one session', async (t) => {
      const { app } = await start(t)
      let judged = 0
      for (let session = 0; session < 12; session++) {
        const own = new Client(app)
        answers(await own.login('ann'), 200)
        for (let n = 0; n < 3; n++) {
          const { statusCode } = await elevate(own, 'wrong password')
          if (statusCode === 401) judged++
          else assert.equal(statusCode, 429)
        }
      }
      assert.equal(judged, 30)
      const last = new Client(app)
      answers(await last.login('ann'), 200)
      refuses(await elevate(last), 'CRUDAUTH_LOCKED_OUT')
    })

    test('sudo: the third wrong password ends an existing elevation, the first two do not', async (t) => {
      const { client } = await start(t)
      await elevate(client)
      for (let n = 0; n < 2; n++) {
        refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
        assert.equal((await client.get('/alone')).statusCode, 200)
      }
      refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
      refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('sudo: a success resets the attempt counter', async (t) => {
      const { client } = await start(t)
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 2; n++)
          refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
        assert.equal((await elevate(client)).statusCode, 200)
      }
    })

    test('sudo: the lockout ends after lockoutSeconds', async (t) => {
      const { client } = await start(t, { sudo: { maxAttempts: 1, lockoutSeconds: 1 } })
      refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
      refuses(await elevate(client), 'CRUDAUTH_LOCKED_OUT')
      await wait(1200)
      assert.equal((await elevate(client)).statusCode, 200)
    })

    test('sudo: of 10 parallel wrong passwords only three are checked', async (t) => {
      const { client } = await start(t)
      const all = await Promise.all(
        Array.from({ length: 10 }, () => elevate(client, 'wrong password')),
      )
      assert.equal(all.filter(({ statusCode }) => statusCode === 401).length, 3)
      assert.equal(all.filter(({ statusCode }) => statusCode === 429).length, 7)
    })

    test('sudo: a principal without a session is never elevated', async (t) => {
      const { client, app } = await start(t, { transports: [apiKey, sessionTransport()] })
      await elevate(client)
      const headers = { 'x-api-key': 'k' }
      refuses(await app.inject({ url: '/alone', headers }), 'CRUDAUTH_SUDO_REQUIRED')
      const up = await app.inject({ method: 'POST', url: '/sudo', headers, payload: { password } })
      refuses(up, 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('POST /change-password: ends the other elevated session and keeps the caller’s', async (t) => {
      const { app, client } = await start(t)
      const other = new Client(app)
      await other.login('ann')
      await elevate(other)
      answers(
        await client.post('/change-password', {
          current_password: password,
          new_password: 'another good phrase',
        }),
        200,
      )
      refuses(await other.get('/alone'), 'CRUDAUTH_UNAUTHENTICATED')
      refuses(await elevate(client, password), 'CRUDAUTH_WRONG_PASSWORD')
      assert.equal((await elevate(client, 'another good phrase')).statusCode, 200)
    })

    test('sudo: an elevation makes the session fresh again', async (t) => {
      const { client } = await start(t, { freshSeconds: 1 })
      assert.equal((await client.post('/keys')).body, 'added')
      await wait(1100)
      refuses(await client.post('/keys'), 'CRUDAUTH_FRESH_SIGN_IN_REQUIRED')
      await elevate(client)
      assert.equal((await client.post('/keys')).body, 'added')
    })
  })
}

describe('requireSudo and requireFresh', () => {
  test('sudo: 401 if anonymous, 403 without the CSRF header, 400 for a non-string password', async (t) => {
    const app = await build(t, { routes })
    refuses(await app.inject('/alone'), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await app.inject({ method: 'DELETE', url: '/account' }), 'CRUDAUTH_UNAUTHENTICATED')
    refuses(await app.inject({ method: 'POST', url: '/keys' }), 'CRUDAUTH_UNAUTHENTICATED')
    const client = await signedIn(app, 'ann')
    for (const value of [undefined, null, 5, ['x'], {}]) {
      refuses(await client.post('/sudo', { password: value }), 'CRUDAUTH_BAD_REQUEST')
    }
    client.csrf = null
    refuses(await client.post('/keys'), 'CRUDAUTH_CSRF')
    refuses(await client.post('/sudo', { password }), 'CRUDAUTH_CSRF')
  })

  test('sudo: with the option false, requireSudo and elevate refuse everyone', async (t) => {
    const app = await build(t, { auth: { sudo: false }, routes })
    const client = await signedIn(app, 'ann')
    refuses(await client.post('/sudo', { password }), 'CRUDAUTH_SUDO_REQUIRED')
    refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
  })

  test('elevate: a request that no gate authenticated is 401, even with a session cookie', async (t) => {
    const app = await build(t, {
      routes: (app) =>
        void app.post('/sudo', (request) =>
          app.crudAuth.sudo.elevate(request, { password: password }),
        ),
    })
    const client = await signedIn(app, 'ann')
    refuses(await client.post('/sudo'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('elevate: a wrong password after a success in the same request ends the elevation', async (t) => {
    const app = await build(t, { auth: { sudo: { maxAttempts: 1 } }, routes })
    const client = await signedIn(app, 'ann')
    assert.deepEqual(
      (await client.post('/twice', { first: password, second: 'wrong password' })).json(),
      ['up', 'CRUDAUTH_WRONG_PASSWORD'],
    )
    refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
  })

  test('elevate: later gates of the same request see the elevation', async (t) => {
    const app = await build(t, {
      auth: { sudo: { maxAttempts: 1 } },
      routes(app) {
        const proof = async (request: FastifyRequest) =>
          void (await app.crudAuth.sudo
            .elevate(request, request.body as { password: string })
            .catch(() => null))
        const preHandler = [app.currentUser(), proof, app.requireSudo]
        app.post('/proved', { preHandler }, async () => 'in')
      },
    })
    const client = await signedIn(app, 'ann')
    assert.equal((await client.post('/proved', { password })).body, 'in')
    refuses(await client.post('/proved', { password: 'wrong password' }), 'CRUDAUTH_SUDO_REQUIRED')
  })

  test('elevate: a session is 401 while its password hash is unusable', async (t) => {
    const app = await build(t, { routes })
    const client = await signedIn(app, 'ann')
    const row = await app.crudAuth.users.findById(1)
    await app.crudAuth.users.update(1, { hashedPassword: '!none' })
    // The credential epoch changes with the hash, so the session is no longer valid.
    refuses(await client.post('/sudo', { password: '!none' }), 'CRUDAUTH_UNAUTHENTICATED')
    await app.crudAuth.users.update(1, { hashedPassword: row?.hashedPassword })
    assert.equal((await client.post('/sudo', { password })).statusCode, 200)
  })

  test('elevate: a live session of an account without a password cannot elevate by password', async (t) => {
    const app = await build(t, {
      routes(app) {
        routes(app)
        mountHandLogin(app)
      },
    })
    await new Client(app).register('ann')
    const unusable = app.crudAuth.passwords.unusable()
    await app.crudAuth.users.update(1, { hashedPassword: unusable })
    const client = new Client(app)
    client.csrf = (await client.post('/by-hand/ann')).json().csrf_token
    assert.equal((await client.post('/keys')).body, 'added', 'the session is live and fresh')
    for (const guess of [password, unusable, ''])
      refuses(await client.post('/sudo', { password: guess }), 'CRUDAUTH_WRONG_PASSWORD')
    refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
  })
})
