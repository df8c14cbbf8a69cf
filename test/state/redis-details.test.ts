import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { type RedisServer, startRedis } from '../../scripts/services/redis.js'
import type { SessionRecord } from '../../src/ports/session-store.js'
import { openRedis, redisState } from '../../src/state/redis/index.js'
import { StateUnavailableError } from '../../src/state/unavailable.js'
import { newPrefix, redisServer } from '../helpers/redis.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const record = (changes: Partial<SessionRecord> = {}): SessionRecord => ({
  handle: randomBytes(32).toString('base64url'),
  userId: randomUUID(),
  epoch: 'epoch',
  csrfDigest: randomBytes(32).toString('base64url'),
  createdAtMs: Date.now(),
  lastActivityAtMs: Date.now(),
  idleMs: HOUR_MS / 2,
  absoluteExpiresAtMs: Date.now() + DAY_MS,
  authenticatedAtMs: Date.now(),
  sudoUntilMs: 0,
  remember: false,
  client: 'sealed',
  metadata: '',
  ...changes,
})

suite('Redis commands and keys', { skip: redisServer().skip }, () => {
  let folder: string
  let server: RedisServer
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'crudauth-details-'))
    server = await startRedis(folder)
  })
  after(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const open = async (t: TestContext) => {
    const opened = openRedis(server.url, { timeoutMs: 5000 })
    const client = opened.client as Redis
    t.after(() => opened.close())
    await client.connect()
    const prefix = newPrefix()
    return { client, prefix, ...redisState(client, { keyPrefix: prefix, timeoutMs: 5000 }) }
  }

  /** The commands that clients send while `act` runs. Commands of Lua scripts are left out. */
  const onTheWire = async (t: TestContext, act: () => Promise<unknown>): Promise<string[]> => {
    const watcher = new Redis(server.url)
    t.after(() => watcher.disconnect())
    const monitor = await watcher.monitor()
    t.after(() => monitor.disconnect())
    const commands: string[] = []
    const end = new Promise<void>((resolve) => {
      monitor.on('monitor', (_time: string, args: string[], source: string) => {
        if (args[0]?.toLowerCase() === 'echo') resolve()
        else if (source !== 'lua') commands.push(String(args[0]).toLowerCase())
      })
    })
    await act()
    await watcher.echo('end')
    await end
    return commands
  }

  test('every store call is one command, whatever the number of sessions', async (t) => {
    const { sessions, oneTime, counters } = await open(t)
    const lane = { maxAttempts: 3, windowMs: 1000, lockMs: 1000, maxLockMs: 1000 }
    const one = record()
    const calls: [expected: string, call: () => Promise<unknown>][] = [
      ['evalsha', () => sessions.create('tag', one, 50)],
      ['hget', () => sessions.read('tag', one.handle)],
      ['evalsha', () => sessions.readTimed('tag', one.handle)],
      [
        'evalsha',
        () =>
          sessions.update(
            'tag',
            one.handle,
            { sudoUntilMs: 0 },
            { sudoUntilMs: 0 },
            Date.now() + HOUR_MS,
          ),
      ],
      ['evalsha', () => sessions.update('tag', one.handle, { sudoUntilMs: 1 }, { sudoUntilMs: 0 })],
      ['evalsha', () => sessions.list('tag')],
      ['evalsha', () => sessions.revoke('tag', one.handle)],
      ['evalsha', () => sessions.revokeAll('tag', { handle: one.handle, epoch: 'x' })],
      ['set', () => oneTime.put('key', 'value', HOUR_MS)],
      ['get', () => oneTime.peek('key')],
      ['getdel', () => oneTime.take('key')],
      ['evalsha', () => oneTime.put('key', 'value', HOUR_MS, 'group')],
      ['evalsha', () => oneTime.peek('key', 'group')],
      ['evalsha', () => oneTime.take('key', 'group')],
      ['evalsha', () => oneTime.revokeGroup('group')],
      ['evalsha', () => counters.hit('key', 1000)],
      [
        'evalsha',
        () =>
          counters.attempt([
            { key: 'a', ...lane },
            { key: 'b', ...lane },
            { key: 'c', ...lane },
          ]),
      ],
      ['del', () => counters.forgive(['a', 'b', 'c'])],
    ]
    for (const [, call] of calls) await call()
    for (let i = 0; i < 49; i += 1) await sessions.create('tag', record(), 50)
    for (const [expected, call] of calls) assert.deepEqual(await onTheWire(t, call), [expected])
  })

  test('100 parallel session reads send 100 HGET commands and nothing else', async (t) => {
    const { sessions } = await open(t)
    const one = record()
    await sessions.create('tag', one, 5)
    const commands = await onTheWire(t, () =>
      Promise.all(Array.from({ length: 100 }, () => sessions.read('tag', one.handle))),
    )
    assert.deepEqual(commands, Array(100).fill('hget'))
  })

  test("a user's key expires with the longest-lived session and is deleted with the last one", async (t) => {
    const { client, prefix, sessions } = await open(t)
    const key = `${prefix}s:{tag}`
    const within = async (mostMs: number) => {
      const ttl = await client.pttl(key)
      assert.ok(ttl > mostMs - 60_000 && ttl <= mostMs, `${ttl} of ${mostMs}`)
    }
    const short = record({ idleMs: HOUR_MS, absoluteExpiresAtMs: Date.now() + DAY_MS })
    await sessions.create('tag', short, 5)
    await within(HOUR_MS)
    const long = record({ idleMs: DAY_MS, absoluteExpiresAtMs: Date.now() + 3 * HOUR_MS })
    await sessions.create('tag', long, 5)
    await within(3 * HOUR_MS)
    await sessions.create('tag', record({ idleMs: 1000 }), 5)
    await within(3 * HOUR_MS)
    await sessions.update('tag', short.handle, { lastActivityAtMs: Date.now() + 4 * HOUR_MS })
    await within(5 * HOUR_MS)
    await sessions.revokeAll('tag')
    assert.equal(await client.exists(key), 0)
  })

  test('every key that is written has a TTL', async (t) => {
    const { client, prefix, sessions, oneTime, counters } = await open(t)
    const lane = { key: 'a', maxAttempts: 1, windowMs: 1000, lockMs: 1000, maxLockMs: 1000 }
    await sessions.create('tag', record(), 5)
    await oneTime.put('key', 'value', 1000)
    await oneTime.put('key', 'value', 1000, 'group')
    await counters.hit('key', 1000)
    await counters.attempt([lane, { ...lane, key: 'b' }, { ...lane, key: 'b' }])
    const keys = await client.keys(`${prefix}*`)
    assert.equal(keys.length, 6)
    for (const key of keys) assert.ok((await client.pttl(key)) > 0, key)
  })

  test('expired sessions are removed on the user’s next write or list', async (t) => {
    const { client, prefix, sessions } = await open(t)
    const now = Date.now()
    for (const act of [
      () => sessions.create('tag', record(), 50),
      () => sessions.list('tag'),
      () => sessions.revoke('tag', 'none'),
      () => sessions.revokeAll('tag', { handle: 'none' }),
    ]) {
      // An expired session, which the store itself would never write.
      await client.hset(
        `${prefix}s:{tag}`,
        'old',
        `2|${[now, 1, now, now - 10, 0, 0].map((n) => n.toString(36)).join('|')}||||||`,
      )
      await act()
      assert.equal(await client.hexists(`${prefix}s:{tag}`, 'old'), 0)
    }
  })

  test('a value in an unknown format is not a session and causes no error', async (t) => {
    const { client, prefix, sessions } = await open(t)
    const live = record()
    const good = `2|${Array(6).fill('zzzzzzzz').join('|')}||||||`
    const damaged = [
      '',
      '1',
      '2|',
      'null',
      '{}',
      `${good}|`,
      good.slice(0, -1),
      good.replace('2', '1'),
      good.replace('z', '-'),
      '\0',
    ]
    for (const [index, text] of damaged.entries()) {
      await sessions.create('tag', live, 5)
      await client.hset(`${prefix}s:{tag}`, 'odd', text)
      assert.equal(await sessions.read('tag', 'odd'), null, `${index}`)
      assert.deepEqual(
        (await sessions.list('tag')).map(({ handle }) => handle),
        [live.handle],
      )
      await client.hset(`${prefix}s:{tag}`, 'odd', text)
      await sessions.update('tag', 'odd', { sudoUntilMs: 1 })
      await sessions.revokeAll('tag')
      assert.equal(await client.exists(`${prefix}s:{tag}`), 0)
    }
    await client.hset(`${prefix}s:{tag}`, 'good', good)
    assert.notEqual(await sessions.read('tag', 'good'), null, 'the undamaged value is a session')
  })

  test('lockout: the escalation lasts until 24 hours after a lock ends', async (t) => {
    const { client, prefix, counters } = await open(t)
    const lane = {
      key: 'a',
      maxAttempts: 0,
      windowMs: 1000,
      lockMs: HOUR_MS,
      maxLockMs: 100 * HOUR_MS,
    }
    const lockMs = async () => (await counters.attempt([lane]))[0]?.retryMs
    const key = `${prefix}l:{a}`
    /** Simulates elapsed time: moves the times stored for the limit back by `ms`. */
    const pass = async (ms: number) => {
      const text = (await client.get(key)) ?? ''
      await client.set(
        key,
        text.replace(/\d{10,}/g, (at) => String(Number(at) - ms)),
      )
    }
    assert.equal(await lockMs(), HOUR_MS)
    await pass(HOUR_MS + DAY_MS - 60_000)
    assert.equal(await lockMs(), 2 * HOUR_MS)
    await pass(2 * HOUR_MS)
    assert.equal(await lockMs(), 4 * HOUR_MS)
    const ttl = await client.pttl(key)
    assert.ok(ttl > 4 * HOUR_MS + DAY_MS - 60_000 && ttl <= 4 * HOUR_MS + DAY_MS)
    await pass(4 * HOUR_MS + DAY_MS)
    assert.equal(await lockMs(), HOUR_MS)
  })

  test('lockout: an attempt counts towards maxPerDay for 24 hours', async (t) => {
    const { client, prefix, counters } = await open(t)
    const lane = {
      key: 'a',
      maxAttempts: 5,
      windowMs: 1000,
      lockMs: 1000,
      maxLockMs: 1000,
      maxPerDay: 2,
    }
    const passes = async () => (await counters.attempt([lane]))[0]?.retryMs === 0
    const pass = async (ms: number) => {
      const text = (await client.get(`${prefix}l:{a}`)) ?? ''
      await client.set(
        `${prefix}l:{a}`,
        text.replace(/\d{10,}/g, (at) => String(Number(at) - ms)),
      )
    }
    assert.equal(await passes(), true)
    await pass(HOUR_MS)
    assert.equal(await passes(), true)
    await pass(22 * HOUR_MS)
    assert.equal(await passes(), false)
    await pass(HOUR_MS)
    assert.equal(await passes(), true, 'the first attempt is a day old')
    assert.equal(await passes(), false)
  })

  test('lockout: a limit stores at most 1000 attempts, whatever its maximum', async (t) => {
    const { client, prefix, counters } = await open(t)
    const lane = {
      key: 'a',
      maxAttempts: 1e9,
      windowMs: HOUR_MS,
      lockMs: 1000,
      maxLockMs: 1000,
      maxPerDay: Number.POSITIVE_INFINITY,
    }
    const results = (await counters.attempt(Array(1100).fill(lane))).filter(
      ({ count }) => count > 0,
    )
    assert.equal(results.length, 1000)
    assert.ok((await client.strlen(`${prefix}l:{a}`)) < 16_384)
  })

  test('a Redis error becomes a StateUnavailableError without keys, arguments or values', async (t) => {
    const { client, prefix, sessions, oneTime, counters } = await open(t)
    const secret = 'secret-of-the-argument'
    for (const key of [`s:{${secret}}`, `g:{${secret}}`]) await client.set(prefix + key, secret)
    for (const key of [`o:{${secret}}`, `w:{${secret}}`, `l:{${secret}}`])
      await client.hset(prefix + key, secret, secret)
    const lane = { key: secret, maxAttempts: 1, windowMs: 1, lockMs: 1, maxLockMs: 1 }
    for (const call of [
      () => sessions.read(secret, secret),
      () => sessions.create(secret, record({ client: secret }), 5),
      () => sessions.revokeAll(secret),
      () => oneTime.peek(secret),
      () => oneTime.take(secret, secret),
      () => oneTime.put(secret, secret, 1000, secret),
      () => counters.hit(secret, 1000),
      () => counters.attempt([lane]),
    ]) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof StateUnavailableError)
        const text = inspect(error, { depth: 9, showHidden: true })
        assert.match(text, /Redis answered (WRONGTYPE|ERR)/)
        assert.doesNotMatch(text, new RegExp(`${secret}|${prefix}`))
        return true
      })
    }
  })

  test("an app's own client gets no listeners or commands and stays open after close", async (t) => {
    const client = new Redis(server.url)
    t.after(() => client.disconnect())
    await client.ping()
    const names = Object.keys(client)
    const listeners = client.eventNames().map((name) => [name, client.listenerCount(name)])
    const opened = openRedis(client)
    assert.equal(opened.client, client)
    assert.equal(opened.owned, false)
    const { sessions } = redisState(client, { keyPrefix: newPrefix() })
    await sessions.create('tag', record(), 5)
    assert.deepEqual(
      Object.keys(client).filter((name) => !names.includes(name)),
      [],
    )
    await opened.close()
    assert.equal(await client.ping(), 'PONG')
    assert.deepEqual(
      client.eventNames().map((name) => [name, client.listenerCount(name)]),
      listeners,
    )
  })
})
