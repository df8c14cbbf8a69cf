import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePorts, serverFolder, startServer } from '../../scripts/services/process.js'
import { programs, requireProgram } from '../../scripts/services/programs.js'
import { startRedis } from '../../scripts/services/redis.js'
import { startRedisCluster } from '../../scripts/services/redis-cluster.js'
import { openRedis, redisState } from '../../src/state/redis/index.js'
import { StateUnavailableError } from '../../src/state/unavailable.js'
import { moduleUrl, nodeFlags } from '../helpers/child.js'
import { openCluster, redisServer } from '../helpers/redis.js'

const MINUTE_MS = 60_000

const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-topology-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Retries until the first success. The limit only ends a test that would hang. */
async function recovers<T>(call: () => Promise<T>): Promise<T> {
  const endMs = Date.now() + 60_000
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

suite('Redis with several servers', { skip: redisServer().skip }, () => {
  test('Sentinel: commands follow a failover to the new primary', async (t) => {
    const folder = folderOf(t)
    const primary = await startRedis(folder)
    t.after(() => primary.stop())
    const replica = await startRedis(folder, { args: ['--replicaof', `127.0.0.1 ${primary.port}`] })
    t.after(() => replica.stop())
    const [port = 0] = await freePorts(1)
    const home = serverFolder(folder, 'sentinel')
    const settings = join(home, 'sentinel.conf')
    writeFileSync(
      settings,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir "${home}"`,
        `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 5000',
      ].join('\n'),
    )
    const sentinel = await startServer({
      name: 'Sentinel',
      program: requireProgram(programs.redis),
      args: [settings, '--sentinel'],
      folder: home,
      ready: /\+monitor/,
    })
    t.after(() => sentinel.stop())

    const opened = openRedis(
      { sentinels: [{ host: '127.0.0.1', port }], name: 'main' },
      { timeoutMs: 500 },
    )
    t.after(() => opened.close())
    const { counters } = redisState(opened.client, { keyPrefix: 'x:', timeoutMs: 500 })
    assert.equal((await recovers(() => counters.hit('key', MINUTE_MS))).count, 1)

    const watcher = new Redis({ port })
    t.after(() => watcher.disconnect())
    // Sentinel must know the replica before it can promote it.
    const known = async () =>
      ((await watcher.call('SENTINEL', 'REPLICAS', 'main')) as unknown[]).length === 1
    while (!(await known())) await delay(100)
    const copy = new Redis({ port: replica.port })
    t.after(() => copy.disconnect())
    while ((await copy.get('x:w:{key}')) !== '1') await delay(50)

    await primary.kill()
    assert.equal((await recovers(() => counters.hit('key', MINUTE_MS))).count, 2)
    assert.equal(await copy.get('x:w:{key}'), '2')
  })

  test('Cluster: commands follow a slot that moves under traffic, without errors', async (t) => {
    const cluster = await startRedisCluster(folderOf(t))
    t.after(() => cluster.stop())
    for (const enableAutoPipelining of [false, true]) {
      const client = openCluster(cluster.url, { enableAutoPipelining })
      t.after(() => client.disconnect())
      const { counters } = redisState(client, { keyPrefix: 'x:', timeoutMs: 10_000 })
      const keys = Array.from({ length: 30 }, (_, i) => `${enableAutoPipelining}${i}`)
      const hitAll = () => Promise.all(keys.map((key) => counters.hit(key, 10 * MINUTE_MS)))
      await hitAll()

      // Moves every slot of the first node that contains a key, with its keys, to the second node.
      const [from, to] = [cluster.nodes[0], cluster.nodes[1]].map(
        (node) => new Redis(node?.url ?? ''),
      ) as [Redis, Redis]
      t.after(() => {
        for (const one of [from, to]) one.disconnect()
      })
      const [fromId, toId] = (await Promise.all(
        [from, to].map((one) => one.call('CLUSTER', 'MYID')),
      )) as [string, string]
      const mine: { name: string; slot: string }[] = []
      for (const name of keys.map((key) => `x:w:{${key}}`)) {
        if (await from.exists(name).catch(() => 0))
          mine.push({ name, slot: String(await from.cluster('KEYSLOT', name)) })
      }
      assert.ok(mine.length > 2)
      let rounds = 0
      let moving = true
      const traffic = (async () => {
        for (; moving; rounds += 1) await hitAll()
      })()
      for (const { name, slot } of mine) {
        await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
        await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
        await delay(20)
        await from.call(
          'MIGRATE',
          '127.0.0.1',
          String(cluster.nodes[1]?.port),
          '',
          '0',
          '5000',
          'KEYS',
          name,
        )
        await delay(20)
        await to.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
        await from.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
      }
      moving = false
      await traffic
      const counts = (await hitAll()).map(({ count }) => count)
      assert.deepEqual(counts, Array(30).fill(rounds + 2), 'each hit counted exactly once')
      for (const { name, slot } of mine) {
        await from.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', toId)
        await to.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', fromId)
        await to.call(
          'MIGRATE',
          '127.0.0.1',
          String(cluster.nodes[0]?.port),
          '',
          '0',
          '5000',
          'KEYS',
          name,
        )
        await from.call('CLUSTER', 'SETSLOT', slot, 'NODE', fromId)
        await to.call('CLUSTER', 'SETSLOT', slot, 'NODE', fromId)
      }
    }
  })

  test('closing the client lets the process exit, whether or not Redis answered', async (t) => {
    const server = await startRedis(folderOf(t))
    t.after(() => server.stop())
    const [port = 0] = await freePorts(1)
    const program = `
      import { openRedis, redisState } from '${moduleUrl('src/state/redis/index.ts')}'
      const opened = openRedis(process.env.URL_UNDER_TEST, { timeoutMs: 200 })
      const { counters } = redisState(opened.client, { timeoutMs: 200 })
      await counters.hit('key', 1000).then(() => console.log('answered'), () => console.log('failed'))
      await opened.close()`
    for (const [url, said] of [
      [server.url, 'answered\n'],
      [`redis://127.0.0.1:${port}`, 'failed\n'],
    ] as const) {
      const child = spawn(process.execPath, [...nodeFlags, '--input-type=module', '-e', program], {
        env: { ...process.env, URL_UNDER_TEST: url },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.after(() => child.kill('SIGKILL'))
      let output = ''
      child.stdout.on('data', (chunk) => (output += chunk))
      const [code] = await once(child, 'exit')
      assert.equal(code, 0)
      assert.equal(output, said)
    }
  })
})
