import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../scripts/services/process.js'
import { sessionTransport } from '../../src/index.js'
import { password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { appOn, recovers, serve, skip } from '../helpers/faults.js'
import { sessionCookie, statuses, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const change = { current_password: password, new_password: 'another good one' }

/** Requests while Redis is unavailable: each is 503 and changes nothing. */
async function refusesWhatNeedsRedis(client: Client, told: readonly string[]) {
  const before = [...client.cookies]
  const answers = await Promise.all([
    client.get('/me'),
    client.get('/sessions'),
    client.get('/optional'),
    client.get('/elevated'),
    client.get('/fresh'),
    client.delete('/sessions/x'),
    client.post('/logout'),
    client.post('/logout-all'),
    client.post('/csrf/refresh'),
    client.post('/sudo'),
    client.post('/change-password', change),
    client.post('/set-password', { new_password: 'another good one' }),
    client.login('ann'),
    client.login('ann', 'wrong'),
    client.login('nobody'),
    new Client(client.app).login('ann'),
    ...times(30, () => client.get('/me')),
  ])
  for (const answer of answers) {
    refuses(answer, 'CRUDAUTH_UNAVAILABLE', [password])
    assert.equal(answer.headers['set-cookie'], undefined, 'nobody is logged out')
    assert.doesNotMatch(answer.body, /redis|connect|127\.0\.0\.1|timeout/i)
  }
  assert.deepEqual([...client.cookies], before)
  assert.deepEqual(told, [], 'no password is checked while attempts cannot be counted')
}

suite('outages of Redis', { skip }, () => {
  test('Redis killed: requests that need it are 503, sign-up works; a restart ends sessions', async (t) => {
    const server = await serve(t)
    const { app, told } = await appOn(t, server.url)
    const client = await signedIn(app, 'ann')
    await server.kill()
    await refusesWhatNeedsRedis(client, told)
    const registered = await new Client(app).register('bob')
    assert.equal(registered.statusCode, 201, registered.body)
    assert.equal(registered.headers['x-ratelimit-limit'], undefined)
    assert.equal(
      (await app.inject({ method: 'GET', url: '/me' })).statusCode,
      401,
      'a request without a session needs no Redis',
    )
    await serve(t, server.port)
    refuses(await recovers(() => client.get('/me')), 'CRUDAUTH_UNAUTHENTICATED')
    assert.equal((await new Client(app).login('ann')).statusCode, 200)
    assert.equal((await new Client(app).login('bob')).statusCode, 200)
  })

  test('Redis paused: requests that need it are 503, and sessions survive', async (t) => {
    const server = await serve(t)
    const { app, told } = await appOn(t, server.url)
    const client = await signedIn(app, 'ann')
    const remembered = new Client(app)
    await remembered.login('ann', password, { remember_me: '1' })
    server.pause()
    // Requests sent as the pause begins may run after it, so none of them is a sign-out.
    for (const answer of await Promise.all(times(20, () => client.get('/me'))))
      refuses(answer, 'CRUDAUTH_UNAVAILABLE')
    while (await stillWaits(client)) await delay(20)
    await refusesWhatNeedsRedis(client, told)
    assert.equal((await new Client(app).register('bob')).statusCode, 201)
    server.resume()
    for (const each of [client, remembered]) {
      const response = await recovers(() => each.get('/me'))
      assert.equal(response.statusCode, 200, response.body)
      assert.equal(response.json().username, 'ann')
    }
    assert.equal((await client.post('/sudo')).statusCode, 200, 'with its CSRF token')
  })

  test('Redis paused under load: every response is 200 or 503, never 401', async (t) => {
    const server = await serve(t)
    const { app } = await appOn(t, server.url)
    const clients: Client[] = []
    for (let i = 0; i < 4; i++) clients.push(await signedIn(app, `user${i}`))
    let stop = false
    const seen: { statusCode: number; body: string }[] = []
    const load = clients.map(async (client) => {
      while (!stop) {
        seen.push(...(await Promise.all(times(5, () => client.get('/me')))))
        await delay(5)
      }
    })
    for (let round = 0; round < 2; round++) {
      await delay(100)
      server.pause()
      await delay(1500)
      server.resume()
      for (const client of clients)
        assert.equal((await recovers(() => client.get('/me'))).statusCode, 200)
    }
    stop = true
    await Promise.all(load)
    const counts = statuses(seen)
    assert.deepEqual(Object.keys(counts), ['200', '503'], JSON.stringify(counts))
  })

  test('Redis restarted under load: 503 while it is down, 401 only once it is back', async (t) => {
    const server = await serve(t)
    const { app } = await appOn(t, server.url, {
      lockout: { maxAttempts: 1000, maxAttemptsPerIp: 10_000 },
      transports: [
        sessionTransport({ managementRoutes: true, maxSessionsPerUser: Number.POSITIVE_INFINITY }),
      ],
    })
    const clients: Client[] = []
    for (let i = 0; i < 4; i++) clients.push(await signedIn(app, `user${i}`))
    let phase = 'up'
    let stop = false
    const seen: Record<string, Set<number>> = { up: new Set(), down: new Set(), back: new Set() }
    const load = clients.map(async (client, i) => {
      while (!stop) {
        const begun = phase
        const answers = await Promise.all([
          client.get('/me'),
          client.get('/sessions'),
          new Client(app).login(`user${i}`),
        ])
        if (begun === phase) for (const { statusCode } of answers) seen[phase]?.add(statusCode)
        await delay(2)
      }
    })
    await delay(200)
    phase = 'dying'
    await server.kill()
    phase = 'down'
    await delay(1500)
    phase = 'coming'
    await serve(t, server.port)
    refuses(await recovers(() => (clients[0] as Client).get('/me')), 'CRUDAUTH_UNAUTHENTICATED')
    phase = 'back'
    await delay(200)
    stop = true
    await Promise.all(load)
    assert.deepEqual([...(seen.up ?? [])], [200])
    assert.deepEqual([...(seen.down ?? [])], [503])
    assert.deepEqual([...(seen.back ?? [])].sort(), [200, 401], 'sessions are gone, logins work')
  })

  test('lockout: attempts before, during and after an outage share one limit (brute force)', async (t) => {
    const server = await serve(t)
    const { app, told } = await appOn(t, server.url)
    await new Client(app).register('ann')
    for (let i = 0; i < 3; i++)
      refuses(await new Client(app).login('ann', 'wrong'), 'CRUDAUTH_BAD_CREDENTIALS')
    server.pause()
    for (const answer of await Promise.all(
      times(50, () => new Client(app).login('ann', 'wrong')),
    )) {
      refuses(answer, 'CRUDAUTH_UNAVAILABLE')
    }
    server.resume()
    const after: number[] = []
    for (let i = 0; i < 6; i++)
      after.push((await recovers(() => new Client(app).login('ann', 'wrong'))).statusCode)
    assert.equal(after.at(-1), 429)
    assert.ok(told.length <= 5, `${told.length} passwords were looked at`)
  })

  test('Redis down at start-up: the app starts, and sign-in works once Redis is up', async (t) => {
    const [port = 0] = await freePorts(1)
    const { app } = await appOn(t, `redis://127.0.0.1:${port}`)
    assert.equal((await new Client(app).register('ann')).statusCode, 201)
    refuses(await new Client(app).login('ann'), 'CRUDAUTH_UNAVAILABLE')
    const forged = new Client(app)
    forged.cookies.set(sessionCookie, `${'A'.repeat(43)}.${'B'.repeat(22)}`)
    refuses(await forged.get('/me'), 'CRUDAUTH_UNAVAILABLE')
    await serve(t, port)
    const client = new Client(app)
    assert.equal((await recovers(() => client.login('ann'))).statusCode, 200)
    assert.equal((await client.get('/me')).statusCode, 200)
  })
})

/** Whether a request still waits, which it only does while the connection counts as open. */
async function stillWaits(client: Client): Promise<boolean> {
  const early = Symbol('early')
  return (await Promise.race([client.get('/me'), delay(100, early)])) === early
}
