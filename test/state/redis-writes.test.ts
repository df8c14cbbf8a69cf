import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { suite, type TestContext, test } from 'node:test'
import type { Redis } from 'ioredis'
import { openRedis, redisState } from '../../src/state/redis/index.js'
import { newPrefix, redisServer, removeKeys } from '../helpers/redis.js'

const { address, skip } = redisServer()

suite('writes to Redis', { skip }, () => {
  async function open(t: TestContext) {
    const opened = openRedis(address, { timeoutMs: 5000 })
    const client = opened.client as Redis
    const keyPrefix = newPrefix()
    t.after(async () => {
      await removeKeys(client, keyPrefix)
      await opened.close()
    })
    const { sessions, counters } = redisState(client, { keyPrefix, timeoutMs: 5000 })
    await sessions.read('tag', 'handle')
    return { client, sessions, counters }
  }

  /** Number of commands in each write to the socket from now on. */
  function writesOf(client: Redis): number[] {
    const socket = client.stream as Socket & {
      _write: Socket['_write']
      _writev: NonNullable<Socket['_writev']>
    }
    const { _write, _writev } = socket
    const writes: number[] = []
    socket._write = (...given) => {
      writes.push(1)
      return _write.apply(socket, given)
    }
    socket._writev = (chunks, done) => {
      writes.push(chunks.length)
      return _writev.call(socket, chunks, done)
    }
    return writes
  }

  test('100 commands of one turn leave in one write, and each gets its own answer', async (t) => {
    const { client, sessions, counters } = await open(t)
    await counters.hit('known', 60_000)
    const writes = writesOf(client)
    const reads = Array.from({ length: 50 }, (_, i) => sessions.read('tag', `${i}`))
    const hits = Array.from({ length: 50 }, (_, i) => counters.hit(`${i % 5}`, 60_000))
    assert.deepEqual(await Promise.all(reads), Array(50).fill(null))
    const counts = (await Promise.all(hits)).map(({ count }) => count)
    assert.deepEqual(
      counts,
      Array.from({ length: 50 }, (_, i) => Math.floor(i / 5) + 1),
    )
    assert.deepEqual(writes, [100])
  })

  test('a command alone is sent and answered', async (t) => {
    const { client, sessions } = await open(t)
    const writes = writesOf(client)
    for (let i = 0; i < 3; i++) await sessions.read('tag', 'handle')
    assert.deepEqual(writes, [1, 1, 1])
  })

  test('commands are sent after the connection was replaced while it was held', async (t) => {
    const { client, sessions } = await open(t)
    const lost = sessions.read('tag', 'handle').catch((error: Error) => error)
    client.stream.destroy()
    await lost
    assert.equal(await sessions.read('tag', 'handle'), null)
    const writes = writesOf(client)
    await Promise.all([sessions.read('tag', 'a'), sessions.read('tag', 'b')])
    assert.deepEqual(writes, [2])
  })
})
