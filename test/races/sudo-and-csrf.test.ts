import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { type LegacyVerifier, sessionTransport } from '../../src/index.js'
import { backends } from '../helpers/backends.js'
import { build, cheap, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { csrfCookie, noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'
import { serverBackends } from '../helpers/sql-backends.js'
import { mountHandLogin } from '../helpers/users.js'

const sudoRoutes = (app: FastifyInstance) => {
  app.post('/sudo', { onRequest: app.currentUser() }, async (request) => {
    await app.crudAuth.sudo.elevate(request, {
      password: (request.body as { password: string }).password,
    })
    return {}
  })
  app.get('/elevated', { onRequest: app.requireSudo }, async () => ({}))
}

for (const backend of [...backends, ...serverBackends]) {
  test(`${backend.name}: session: parallel sudo, CSRF rotation and activity do not overwrite each other`, async (t) => {
    noUnhandledRejections(t)
    const transports = [sessionTransport({ managementRoutes: true, idleSeconds: 20 })]
    const app = await build(t, { auth: { ...backend.options(), transports }, routes: sudoRoutes })
    for (let round = 0; round < 5; round++) {
      const client = await signedIn(app, `ann${round}`)
      const before = (await client.get('/sessions')).json()[0].last_activity
      // Older than a thirtieth of the window, so that the next requests write their activity.
      await delay(700)
      // Without the readable cookie a new token is issued.
      client.cookies.delete(csrfCookie)
      const [sudo, refreshed, ...reads] = await Promise.all([
        client.post('/sudo', { password }),
        client.post('/csrf/refresh'),
        ...times(20, () => client.get('/me')),
      ])
      assert.deepEqual(statuses(reads), { 200: 20 })
      assert.equal(refreshed?.statusCode, 200)
      // If the rotation came first, the old token is rejected, as it should be.
      client.csrf = refreshed?.json().csrf_token
      if (sudo?.statusCode !== 200)
        assert.equal((await client.post('/sudo', { password })).statusCode, 200, sudo?.body)
      assert.equal((await client.get('/elevated')).statusCode, 200, 'the session is elevated')
      const [session] = (await client.get('/sessions')).json()
      assert.ok(Date.parse(session.last_activity) > Date.parse(before), 'the activity is stored')
      assert.equal((await client.post('/logout')).statusCode, 200, 'the new token is valid')
    }
  })

  test(`${backend.name}: sudo: of 100 parallel wrong passwords three are verified, the elevation ends`, async (t) => {
    noUnhandledRejections(t)
    let looks = 0
    const verifier: LegacyVerifier = {
      matches: (hash) => hash.startsWith('plain:'),
      verify(hash, given) {
        looks++
        return hash === `plain:${given}`
      },
    }
    const auth = { ...backend.options(), passwords: { cost: cheap, legacy: [verifier] } }
    const app = await build(t, {
      auth,
      routes(app) {
        sudoRoutes(app)
        mountHandLogin(app)
      },
    })
    await app.crudAuth.users.create({
      email: 'ann@example.com',
      username: 'ann',
      hashedPassword: `plain:${password}`,
    })
    const client = new Client(app)
    // Signs in without a password, which would replace the hash. Every verification is counted.
    client.csrf = (await client.post('/by-hand/ann')).json().csrf_token
    assert.equal((await client.post('/sudo', { password })).statusCode, 200)
    assert.equal((await client.get('/elevated')).statusCode, 200)
    looks = 0
    const wrong = await Promise.all(
      times(100, (i) => client.post('/sudo', { password: `wrong ${i}` })),
    )
    assert.deepEqual(statuses(wrong), { 401: 3, 429: 97 })
    for (const response of wrong) {
      refuses(
        response,
        response.statusCode === 401 ? 'CRUDAUTH_WRONG_PASSWORD' : 'CRUDAUTH_LOCKED_OUT',
      )
    }
    assert.equal(looks, 3)
    refuses(await client.post('/sudo', { password }), 'CRUDAUTH_LOCKED_OUT')
    refuses(await client.get('/elevated'), 'CRUDAUTH_SUDO_REQUIRED')
    assert.equal((await new Client(app).login('ann')).statusCode, 200, 'login has its own counter')
  })

  test(`${backend.name}: sudo: in parallel with logout it never revives the session`, async (t) => {
    noUnhandledRejections(t)
    const app = await build(t, {
      auth: { ...backend.options(), lockout: false },
      routes: sudoRoutes,
    })
    for (let round = 0; round < 10; round++) {
      const client = await signedIn(app, `ann${round}`)
      const [sudo, logout] = await Promise.all([
        client.post('/sudo', { password }),
        client.request('POST', '/logout'),
      ])
      assert.equal(logout?.statusCode, 200)
      assert.ok(sudo?.statusCode === 200 || sudo?.statusCode === 401, sudo?.body)
      refuses(await client.get('/elevated'), 'CRUDAUTH_UNAUTHENTICATED')
    }
  })
}
