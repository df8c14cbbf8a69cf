import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { kyselyState } from '../../src/state/kysely/index.js'
import { record } from '../../src/testing/sessions/records.js'
import { captureLogs, password } from '../helpers/build.js'
import { Client, signedIn } from '../helpers/client.js'
import { appOnState, recovers } from '../helpers/faults.js'
import { noUnhandledRejections, statuses, times } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'
import { type SqlPlace, sqlPlaces } from '../helpers/sql-places.js'
import { createTables } from '../helpers/state.js'
import { newTables } from '../helpers/tables.js'
import { tcpProxy } from '../helpers/tcp-proxy.js'

const change = { current_password: password, new_password: 'another good one' }

/** State behind a proxy, which the test can stop and let hang. */
async function setUp(t: TestContext, place: SqlPlace) {
  const open = place.opener(t)
  const tables = newTables()
  await createTables(open(), place.dialect, tables)
  const proxy = await tcpProxy(place.url)
  const state = kyselyState(open({ url: proxy.url }), { tables, purgeSeconds: 1 })
  // After the connections have closed.
  t.after(() => proxy.close())
  return { proxy, state, direct: () => kyselyState(open(), { tables, purgeSeconds: 0 }) }
}

/** Requests while the database is unavailable: each is 503 and changes nothing. */
async function refusesWhatNeedsState(client: Client, told: readonly string[]) {
  const before = [...client.cookies]
  const answers = await Promise.all([
    client.get('/me'),
    client.get('/sessions'),
    client.get('/optional'),
    client.get('/elevated'),
    client.delete('/sessions/x'),
    client.post('/logout'),
    client.post('/logout-all'),
    client.post('/csrf/refresh'),
    client.post('/sudo'),
    client.post('/change-password', change),
    client.login('ann'),
    client.login('ann', 'wrong'),
    new Client(client.app).login('nobody'),
    ...times(30, () => client.get('/me')),
  ])
  for (const answer of answers) {
    refuses(answer, 'CRUDAUTH_UNAVAILABLE', [password])
    assert.equal(answer.headers['retry-after'], '1')
    assert.equal(answer.headers['set-cookie'], undefined, 'nobody is signed out')
    assert.doesNotMatch(answer.body, /sql|postgres|connect|127\.0\.0\.1|timeout/i)
  }
  assert.deepEqual([...client.cookies], before)
  assert.deepEqual(told, [], 'no password is checked while attempts cannot be counted')
}

for (const place of sqlPlaces.filter(({ dialect }) => dialect !== 'sqlite')) {
  const { name, skip } = place

  test(`${name} stopped: requests that need it are 503, sign-up works; a restart keeps sessions`, {
    skip,
  }, async (t) => {
    const { proxy, state } = await setUp(t, place)
    const { lines, logger } = captureLogs()
    const { app, told } = await appOnState(t, { state }, { logger })
    const client = await signedIn(app, 'ann')
    proxy.stop()
    await refusesWhatNeedsState(client, told)
    const registered = await new Client(app).register('bob')
    assert.equal(registered.statusCode, 201, registered.body)
    assert.equal((await app.inject('/me')).statusCode, 401, 'no session needs no state')
    await delay(1200)
    assert.ok(lines.some((line) => line.includes('could not purge expired state')))
    proxy.start()
    const back = await recovers(() => client.get('/me'))
    assert.equal(back.json().username, 'ann')
    assert.equal((await client.post('/sudo')).statusCode, 200, 'with its CSRF token')
    assert.equal((await new Client(app).login('bob')).statusCode, 200)
    const count = (text: string) => lines.filter((line) => line.includes(text)).length
    assert.equal(count('shared state is unreachable'), 1)
    assert.equal(count('shared state is reachable again'), 1)
    for (const line of lines) assert.doesNotMatch(line, /postgres:\/\/|mysql:\/\/|insert into/)
  })

  test(`${name} hangs: requests that need it are 503 in time, and nothing runs late`, {
    skip,
  }, async (t) => {
    const { proxy, state, direct } = await setUp(t, place)
    const { app, told } = await appOnState(t, { state })
    const client = await signedIn(app, 'ann')
    const { oneTime, sessions } = direct()
    await oneTime.put('token', 'value', 60_000)
    proxy.hang()
    const startedMs = performance.now()
    await refusesWhatNeedsState(client, told)
    // Each is bounded by 600 ms; the requests that call twice or check a password take longer.
    assert.ok(performance.now() - startedMs < 5000)
    // All connections are taken, so none of these has been sent.
    await Promise.all(times(10, () => assert.rejects(app.sessionStore.create('late', record(), 5))))
    await assert.rejects(state.oneTime.take('token'))
    proxy.start()
    assert.equal((await recovers(() => client.get('/me'))).json().username, 'ann')
    assert.equal(await oneTime.peek('token'), 'value', 'the token is not spent')
    assert.deepEqual(await sessions.list('late'), [])
  })

  test(`${name} hangs for long: waiting calls are bounded, and it recovers`, {
    skip,
  }, async (t) => {
    noUnhandledRejections(t)
    const { proxy, state } = await setUp(t, place)
    state.start?.({ timeoutMs: 100, log: () => {} })
    await state.sessions.read('tag', 'handle')
    proxy.hang()
    await Promise.all(times(300, () => assert.rejects(state.sessions.read('tag', 'handle'))))
    const startedMs = performance.now()
    await assert.rejects(state.sessions.read('tag', 'handle'))
    assert.ok(performance.now() - startedMs < 90, 'it fails at once')
    proxy.start()
    for (let tries = 0; tries < 100; tries += 1) {
      const found = await state.sessions.read('tag', 'handle').catch(() => 'down')
      if (found === null) return
      await delay(50)
    }
    assert.fail('it never recovers')
  })

  test(`${name} restarted under load: every response is 200 or 503, never 401`, {
    skip,
  }, async (t) => {
    const { proxy, state } = await setUp(t, place)
    const { app } = await appOnState(t, { state })
    const clients: Client[] = []
    for (let i = 0; i < 4; i += 1) clients.push(await signedIn(app, `user${i}`))
    let isOver = false
    const seen: { statusCode: number }[] = []
    const load = clients.map(async (client) => {
      while (!isOver) {
        seen.push(...(await Promise.all(times(5, () => client.get('/me')))))
        await delay(5)
      }
    })
    for (const fault of ['stop', 'hang', 'stop'] as const) {
      await delay(100)
      proxy[fault]()
      await delay(900)
      proxy.start()
      for (const client of clients)
        assert.equal((await recovers(() => client.get('/me'))).statusCode, 200)
    }
    isOver = true
    await Promise.all(load)
    assert.deepEqual(Object.keys(statuses(seen)), ['200', '503'])
  })

  test(`${name} down at start: the app starts with a warning, and works once it is up`, {
    skip,
  }, async (t) => {
    const { proxy, state } = await setUp(t, place)
    const { lines, logger } = captureLogs()
    proxy.stop()
    const { app } = await appOnState(t, { state }, { logger })
    assert.ok(lines.some((line) => line.includes('could not verify the shared state')))
    const client = new Client(app)
    assert.equal((await client.register('ann')).statusCode, 201)
    refuses(await client.login('ann'), 'CRUDAUTH_UNAVAILABLE')
    proxy.start()
    assert.equal((await recovers(() => client.login('ann'))).statusCode, 200)
  })
}
