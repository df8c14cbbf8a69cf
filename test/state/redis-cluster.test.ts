import { after, test } from 'node:test'
import { redisState } from '../../src/state/redis/index.js'
import { counterStoreConformance } from '../../src/testing/counter-store.js'
import { oneTimeStoreConformance } from '../../src/testing/one-time-store.js'
import { sessionStoreConformance } from '../../src/testing/session-store.js'
import { clusterServers, newPrefix, openCluster, removeKeys } from '../helpers/redis.js'

const { address, skip } = clusterServers()

if (skip) {
  test('Redis Cluster: store conformance', { skip }, () => {})
} else {
  const plain = openCluster(address)
  const pipelining = openCluster(address, { enableAutoPipelining: true })
  const prefixes: string[] = []
  after(async () => {
    for (const prefix of prefixes) await removeKeys(plain, prefix)
    plain.disconnect()
    pipelining.disconnect()
  })

  for (const [kind, client] of [
    ['a plain client', plain],
    ['an auto-pipelining client', pipelining],
  ] as const) {
    const state = () => {
      const keyPrefix = newPrefix()
      prefixes.push(keyPrefix)
      return redisState(client, { keyPrefix, timeoutMs: 5000 })
    }
    sessionStoreConformance(() => ({ store: state().sessions }), {
      name: `Cluster sessions by ${kind}`,
    })
    oneTimeStoreConformance(() => ({ store: state().oneTime }), {
      name: `Cluster one-time values by ${kind}`,
    })
    counterStoreConformance(() => ({ store: state().counters }), {
      name: `Cluster counters by ${kind}`,
    })
  }
}
