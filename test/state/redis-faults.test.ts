import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Redis, type RedisOptions } from 'ioredis'
import { freePorts } from '../../scripts/services/process.js'
import { type RedisServer, startRedis } from '../../scripts/services/redis.js'
import { startRedisCluster } from '../../scripts/services/redis-cluster.js'
import { openRedis, redisState } from '../../src/state/redis/index.js'
import { StateUnavailableError } from '../../src/state/unavailable.js'
import { openCluster, redisServer } from '../helpers/redis.js'

const MINUTE_MS = 60_000

const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-faults-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const serve = async (t: TestContext, port?: number, args: string[] = []): Promise<RedisServer> => {
  const server = await startRedis(folderOf(t), port === undefined ? { args } : { port, args })
  // A paused process does not react to a normal stop.
  t.after(() => {
    if (server.isAlive()) server.resume()
    return server.stop()
  })
  return server
}

const open = (t: TestContext, input: string | RedisOptions, timeoutMs: number) => {
  const messages: string[] = []
  const opened = openRedis(input, {
    timeoutMs,
    log: (message, cause) => messages.push(`${message} ${inspect(cause)}`),
  })
  t.after(() => opened.close())
  return {
    opened,
    messages,
    client: opened.client as Redis,
    ...redisState(opened.client, { keyPrefix: 'x:', timeoutMs }),
  }
}

const unavailable = (call: () => Promise<unknown>) => assert.rejects(call, StateUnavailableError)

/** Retries until the first success. The limit only ends a test that would hang. */
async function recovers<T>(call: () => Promise<T>): Promise<T> {
  const endMs = Date.now() + 30_000
  for (;;) {
    try {
      return await call()
    } catch (error) {
      assert.ok(error instanceof StateUnavailableError)
      if (Date.now() > endMs) throw error
      await delay(50)
    }
  }
}

const failures = async (calls: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(calls)).map((result) =>
    result.status === 'rejected' ? result.reason : 'answered',
  )

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index))

suite('Redis outages', { skip: redisServer().skip }, () => {
  test('Redis down at start-up is logged once, and the client connects when it comes up', async (t) => {
    const [port = 0] = await freePorts(1)
    const { opened, messages, counters, sessions } = open(t, `redis://127.0.0.1:${port}`, 300)
    opened.connect()
    await unavailable(() => sessions.read('tag', 'handle'))
    for (const reason of await failures(times(100, () => counters.hit('early', MINUTE_MS)))) {
      assert.ok(reason instanceof StateUnavailableError)
    }
    await delay(300)
    assert.equal(messages.length, 1)
    assert.match(messages[0] ?? '', /unreachable.*ECONNREFUSED/s)
    assert.doesNotMatch(messages[0] ?? '', new RegExp(`${port}`))
    await serve(t, port)
    assert.equal((await recovers(() => counters.hit('late', MINUTE_MS))).count, 1)
    assert.equal(
      (await counters.hit('early', MINUTE_MS)).count,
      1,
      'commands that failed during the outage are not sent later',
    )
    assert.equal(messages.length, 2)
    assert.match(messages[1] ?? '', /is reachable again/)
  })

  test('the first commands wait for a server that starts late', async (t) => {
    const [port = 0] = await freePorts(1)
    const { counters } = open(t, `redis://127.0.0.1:${port}`, 20_000)
    const early = times(30, () => counters.hit('key', MINUTE_MS))
    await delay(200)
    await serve(t, port)
    const counts = (await Promise.all(early)).map(({ count }) => count)
    assert.deepEqual(
      counts.sort((a, b) => a - b),
      times(30, (i) => i + 1),
    )
  })

  test('commands in flight when the server is killed fail and are not sent again', async (t) => {
    const server = await serve(t)
    const { counters, oneTime } = open(t, server.url, 10_000)
    await counters.hit('before', MINUTE_MS)
    server.pause()
    const underWay = failures([
      ...times(100, () => counters.hit('key', MINUTE_MS)),
      oneTime.put('key', 'value', MINUTE_MS),
    ])
    await delay(100)
    await server.kill()
    for (const reason of await underWay) assert.ok(reason instanceof StateUnavailableError)
    await serve(t, server.port)
    assert.equal((await recovers(() => counters.hit('key', MINUTE_MS))).count, 1)
    assert.equal(await oneTime.take('key'), null)
  })

  test('a hanging server: calls time out, later ones fail at once, then the client recovers', async (t) => {
    const server = await serve(t)
    const { counters, sessions, client } = open(t, server.url, 200)
    await recovers(() => counters.hit('before', MINUTE_MS))
    server.pause()
    for (const reason of await failures([
      sessions.read('a', 'b'),
      sessions.list('a'),
      counters.hit('key', MINUTE_MS),
    ])) {
      assert.ok(reason instanceof StateUnavailableError)
      assert.match(inspect(reason), /did not answer within 200 ms/)
    }
    // The connection itself is closed, so that unanswered commands do not pile up.
    while (client.status === 'ready') await delay(20)
    await unavailable(() => counters.hit('down', MINUTE_MS))
    for (const reason of await failures(times(200, () => counters.hit('down', MINUTE_MS)))) {
      assert.match(inspect(reason), /not connected/)
    }
    server.resume()
    assert.equal(
      (await recovers(() => counters.hit('down', MINUTE_MS))).count,
      1,
      'none of the failed commands has reached the server',
    )
  })

  test('commands wait for the end of a short interruption', async (t) => {
    const server = await serve(t)
    const { counters, client } = open(t, server.url, 20_000)
    await counters.hit('before', MINUTE_MS)
    await server.kill()
    while (client.status === 'ready') await delay(5)
    const during = times(20, () => counters.hit('key', MINUTE_MS))
    await serve(t, server.port)
    assert.equal((await Promise.all(during)).length, 20)
  })

  test('scripts are reloaded after SCRIPT FLUSH, also under parallel calls', async (t) => {
    const server = await serve(t)
    for (const options of [{}, { enableAutoPipelining: true }]) {
      const { client, counters, oneTime } = open(t, { port: server.port, ...options }, 10_000)
      for (const key of ['a', 'b', 'c']) {
        await recovers(() => counters.hit(`first${key}`, MINUTE_MS))
        await client.script('FLUSH')
        const hits = times(100, () => counters.hit(key, MINUTE_MS))
        const puts = times(50, (i) => oneTime.put(`${i}`, 'value', MINUTE_MS, key))
        const flush = client.script('FLUSH')
        const counts = (await Promise.all(hits)).map(({ count }) => count)
        assert.equal(new Set(counts).size, 100, 'each ran exactly once')
        await Promise.all([...puts, flush])
        assert.equal(await oneTime.revokeGroup(key), 50)
        await counters.forgive(['a', 'b', 'c'])
      }
      await client.flushall()
    }
  })

  test('scripts are reloaded after a server restart', async (t) => {
    const server = await serve(t)
    const { counters, sessions } = open(t, server.url, 5000)
    for (let round = 0; round < 3; round += 1) {
      const running = round === 0 ? server : await serve(t, server.port)
      assert.equal((await recovers(() => counters.hit('key', MINUTE_MS))).count, 1)
      assert.deepEqual(await sessions.list('tag'), [])
      await running.kill()
    }
  })

  test('a wrong password counts as an outage, and no error or log contains it', async (t) => {
    const server = await serve(t, undefined, ['--requirepass', 'right-password'])
    const { opened, messages, counters } = open(
      t,
      `redis://:wrong-password@127.0.0.1:${server.port}`,
      300,
    )
    opened.connect()
    for (let i = 0; i < 3; i += 1) {
      await assert.rejects(counters.hit('key', MINUTE_MS), (error) => {
        assert.ok(error instanceof StateUnavailableError)
        assert.doesNotMatch(inspect(error, { depth: 9 }), /password/)
        return true
      })
    }
    assert.equal(messages.length, 1)
    assert.match(messages[0] ?? '', /WRONGPASS/)
    assert.doesNotMatch(messages[0] ?? '', /-password/)
    const admin = new Redis({ port: server.port, password: 'right-password' })
    t.after(() => admin.disconnect())
    await admin.config('SET', 'requirepass', 'wrong-password')
    assert.equal((await recovers(() => counters.hit('key', MINUTE_MS))).count, 1)
  })

  test('a server out of memory: writes fail, reads work', async (t) => {
    const server = await serve(t)
    const { client, counters, sessions } = open(t, server.url, 5000)
    await counters.hit('key', MINUTE_MS)
    await client.config('SET', 'maxmemory', '1')
    await assert.rejects(counters.hit('key', MINUTE_MS), (error) => /OOM/.test(inspect(error)))
    assert.equal(await sessions.read('tag', 'handle'), null)
    await client.config('SET', 'maxmemory', '0')
    assert.equal((await counters.hit('key', MINUTE_MS)).count, 2)
  })

  test('close resolves in every state: never connected, down, hanging, connected, closed', async (t) => {
    const server = await serve(t)
    const [port = 0] = await freePorts(1)
    await open(t, server.url, 300).opened.close()

    const down = open(t, `redis://127.0.0.1:${port}`, 300)
    await unavailable(() => down.counters.hit('key', MINUTE_MS))
    await down.opened.close()
    await unavailable(() => down.counters.hit('key', MINUTE_MS))

    const serving = open(t, server.url, 5000)
    await serving.counters.hit('key', MINUTE_MS)
    await serving.opened.close()
    await serving.opened.close()
    await unavailable(() => serving.counters.hit('key', MINUTE_MS))

    const hanging = open(t, server.url, 300)
    await recovers(() => hanging.counters.hit('key', MINUTE_MS))
    server.pause()
    const underWay = failures([hanging.counters.hit('key', MINUTE_MS)])
    await hanging.opened.close()
    assert.ok((await underWay)[0] instanceof StateUnavailableError)
    server.resume()
  })

  test("an app's own client that the app has closed counts as an outage", async (t) => {
    const server = await serve(t)
    const client = new Redis(server.url)
    const { counters } = redisState(client, { keyPrefix: 'x:', timeoutMs: 5000 })
    await counters.hit('key', MINUTE_MS)
    await client.quit()
    await unavailable(() => counters.hit('key', MINUTE_MS))
  })

  test('Cluster: the client recovers after SCRIPT FLUSH and a hanging node', async (t) => {
    const cluster = await startRedisCluster(folderOf(t))
    t.after(() => {
      for (const node of cluster.nodes) if (node.isAlive()) node.resume()
      return cluster.stop()
    })
    for (const enableAutoPipelining of [false, true]) {
      const client = openCluster(cluster.url, { enableAutoPipelining, retryDelayOnFailover: 0 })
      client.on('error', () => {})
      t.after(() => client.disconnect())
      const { counters } = redisState(client, {
        keyPrefix: `${enableAutoPipelining}:`,
        timeoutMs: 500,
      })
      const hitAll = () => Promise.all(times(60, (i) => counters.hit(`key${i}`, MINUTE_MS)))
      assert.ok((await recovers(hitAll)).every(({ count }) => count >= 1))

      for (const node of client.nodes('master')) await node.script('FLUSH')
      await recovers(hitAll)

      cluster.nodes[1]?.pause()
      const reasons = await failures(times(60, (i) => counters.hit(`key${i}`, MINUTE_MS)))
      assert.ok(reasons.some((reason) => reason instanceof StateUnavailableError))
      cluster.nodes[1]?.resume()
      await recovers(hitAll)
    }
  })
})
