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

    test('the right password elevates the session for the window, and no other session', async (t) => {
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

    test('it ends after the window', async (t) => {
      const { client } = await start(t, { sudo: { windowSeconds: 1 } })
      await elevate(client)
      await wait(1100)
      refuses(await client.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('it ends with the session, and a new sign-in does not carry it', async (t) => {
      const { client } = await start(t)
      await elevate(client)
      await client.login('ann')
      refuses(await client.delete('/account'), 'CRUDAUTH_SUDO_REQUIRED')
      await client.post('/logout')
      refuses(await client.delete('/account'), 'CRUDAUTH_UNAUTHENTICATED')
    })

    test('three wrong passwords are 401, the fourth attempt 429 for lockoutSeconds, and login goes on', async (t) => {
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
      // A stolen session that guesses does not lock its owner's out.
      assert.equal((await elevate(other)).statusCode, 200)
    })

    test('all sessions of a user together have ten times the attempts of one', async (t) => {
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

    test('the third failure takes a standing elevation away, the first two do not', async (t) => {
      const { client } = await start(t)
      await elevate(client)
      for (let n = 0; n < 2; n++) {
        refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
        assert.equal((await client.get('/alone')).statusCode, 200)
      }
      refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
      refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('a success gives the attempts back', async (t) => {
      const { client } = await start(t)
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 2; n++)
          refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
        assert.equal((await elevate(client)).statusCode, 200)
      }
    })

    test('the lock ends by itself', async (t) => {
      const { client } = await start(t, { sudo: { maxAttempts: 1, lockoutSeconds: 1 } })
      refuses(await elevate(client, 'wrong password'), 'CRUDAUTH_WRONG_PASSWORD')
      refuses(await elevate(client), 'CRUDAUTH_LOCKED_OUT')
      await wait(1200)
      assert.equal((await elevate(client)).statusCode, 200)
    })

    test('10 parallel wrong passwords get no more than three answers', async (t) => {
      const { client } = await start(t)
      const all = await Promise.all(
        Array.from({ length: 10 }, () => elevate(client, 'wrong password')),
      )
      assert.equal(all.filter(({ statusCode }) => statusCode === 401).length, 3)
      assert.equal(all.filter(({ statusCode }) => statusCode === 429).length, 7)
    })

    test('a principal that is not a session is never elevated', async (t) => {
      const { client, app } = await start(t, { transports: [apiKey, sessionTransport()] })
      await elevate(client)
      const headers = { 'x-api-key': 'k' }
      refuses(await app.inject({ url: '/alone', headers }), 'CRUDAUTH_SUDO_REQUIRED')
      const up = await app.inject({ method: 'POST', url: '/sudo', headers, payload: { password } })
      refuses(up, 'CRUDAUTH_SUDO_REQUIRED')
    })

    test('changing the password ends others’ elevation and keeps the caller’s session', async (t) => {
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

    test('it makes a session fresh', async (t) => {
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
  test('answer 401 to nobody, 403 without the CSRF header, and 400 to a password that is no string', async (t) => {
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

  test('sudo: false refuses everybody and elevates nobody', async (t) => {
    const app = await build(t, { auth: { sudo: false }, routes })
    const client = await signedIn(app, 'ann')
    refuses(await client.post('/sudo', { password }), 'CRUDAUTH_SUDO_REQUIRED')
    refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
  })

  test('elevate on a request that nobody has authenticated is 401', async (t) => {
    const app = await build(t, {
      routes: (app) =>
        void app.post('/sudo', (request) =>
          app.crudAuth.sudo.elevate(request, { password: password }),
        ),
    })
    const client = await signedIn(app, 'ann')
    refuses(await client.post('/sudo'), 'CRUDAUTH_UNAUTHENTICATED')
  })

  test('within one request a failure after the elevation is seen', async (t) => {
    const app = await build(t, { auth: { sudo: { maxAttempts: 1 } }, routes })
    const client = await signedIn(app, 'ann')
    assert.deepEqual(
      (await client.post('/twice', { first: password, second: 'wrong password' })).json(),
      ['up', 'CRUDAUTH_WRONG_PASSWORD'],
    )
    refuses(await client.get('/alone'), 'CRUDAUTH_SUDO_REQUIRED')
  })

  test('what elevate does holds for the later gates of the same request', async (t) => {
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

  test('an account without a password is never elevated', async (t) => {
    const app = await build(t, { routes })
    const client = await signedIn(app, 'ann')
    const row = await app.crudAuth.users.findById(1)
    await app.crudAuth.users.update(1, { hashedPassword: '!none' })
    // The epoch moved with the hash: the session has ended.
    refuses(await client.post('/sudo', { password: '!none' }), 'CRUDAUTH_UNAUTHENTICATED')
    await app.crudAuth.users.update(1, { hashedPassword: row?.hashedPassword })
    assert.equal((await client.post('/sudo', { password })).statusCode, 200)
  })
})
