import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redisLink } from '../../src/state/redis/connection.js'
import { redisCounters } from '../../src/state/redis/counters.js'
import { clusterServers, newPrefix, openCluster, removeKeys } from '../helpers/redis.js'

const { address, skip } = clusterServers()

test('Redis Cluster: an attempt that one master could not count is counted by none', {
  skip,
}, async (t) => {
  const client = openCluster(address)
  const prefix = newPrefix()
  t.after(async () => {
    await removeKeys(client, prefix)
    client.disconnect()
  })
  const link = redisLink(client, 5000)
  let isAway = false
  const counters = redisCounters(
    {
      ...link,
      async run(script, keys, args) {
        if (isAway && keys.some((key) => key.includes('third'))) throw new Error('away')
        return link.run(script, keys, args)
      },
    },
    prefix,
  )
  const budgets = ['first', 'second', 'third'].map((key) => ({
    key,
    maxAttempts: 3,
    ...{ windowMs: 60_000, lockMs: 60_000, maxLockMs: 60_000 },
  }))
  const counts = async () => (await counters.attempt(budgets)).map(({ count }) => count)
  assert.deepEqual(await counts(), [1, 1, 1])
  isAway = true
  for (let times = 0; times < 5; times++) await assert.rejects(counts(), { message: 'away' })
  isAway = false
  assert.deepEqual(await counts(), [2, 2, 2])
})
