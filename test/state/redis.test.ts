import { after, test } from 'node:test'
import { Redis } from 'ioredis'
import { openRedis, redisState } from '../../src/state/redis/index.js'
import { counterStoreConformance } from '../../src/testing/counter-store.js'
import { oneTimeStoreConformance } from '../../src/testing/one-time-store.js'
import { sessionStoreConformance } from '../../src/testing/session-store.js'
import { newPrefix, redisServer, removeKeys } from '../helpers/redis.js'

const { address, skip } = redisServer()

if (skip) {
  test('Redis: store conformance', { skip }, () => {})
} else {
  // An app's client may use RESP2, a key prefix, auto-pipelining.
  const ours = openRedis(address, { timeoutMs: 5000 })
  const theirs = new Redis(address, {
    keyPrefix: 'app:',
    protocol: 2,
    stringNumbers: true,
    enableAutoPipelining: true,
  })
  const prefixes: string[] = []
  after(async () => {
    for (const prefix of prefixes) await removeKeys(ours.client, `*${prefix}`)
    await ours.close()
    theirs.disconnect()
  })

  for (const [kind, client] of [
    ['our client', ours.client],
    ["the app's client", theirs],
  ] as const) {
    const state = () => {
      const keyPrefix = newPrefix()
      prefixes.push(keyPrefix)
      return redisState(client, { keyPrefix, timeoutMs: 5000 })
    }
    sessionStoreConformance(() => ({ store: state().sessions }), {
      name: `Redis sessions by ${kind}`,
    })
    oneTimeStoreConformance(() => ({ store: state().oneTime }), {
      name: `Redis one-time values by ${kind}`,
    })
    counterStoreConformance(() => ({ store: state().counters }), {
      name: `Redis counters by ${kind}`,
    })
  }
}
