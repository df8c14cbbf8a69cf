import type { CounterStore } from '../../ports/counter-store.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'
import type { SessionStore } from '../../ports/session-store.js'
import { type RedisClient, redisLink } from './connection.js'
import { redisCounters } from './counters.js'
import { redisOneTime } from './one-time.js'
import { redisSessions } from './sessions.js'

export type { OpenedRedis, OpenRedisOptions } from './client.js'
export { isRedisClient, openRedis } from './client.js'
export type { RedisClient } from './connection.js'

interface RedisStateOptions {
  /** Namespace in Redis. Default `crudauth:`. */
  readonly keyPrefix?: string
  /** Longest wait of any call, in milliseconds; beyond it the call fails with `StateUnavailableError`. Default 1000. */
  readonly timeoutMs?: number
}

/**
 * State shared by every process through one Redis (6.2 or later): single server, Sentinel or Cluster.
 *
 * A Cluster client sends a command again by itself when its node is lost (`retryDelayOnFailover`), also one that has run
 * already: give it `retryDelayOnFailover: 0` where a one-time value must not be used up by a lost answer. Leave `scaleReads`
 * at `master`: a replica may still know a session that has just been revoked.
 */
export function redisState(
  client: RedisClient,
  { keyPrefix = 'crudauth:', timeoutMs = 1000 }: RedisStateOptions = {},
): {
  sessions: SessionStore
  oneTime: OneTimeStore
  attempts: OneTimeStore
  counters: CounterStore
} {
  const link = redisLink(client, timeoutMs)
  const oneTime = redisOneTime(link, keyPrefix)
  return {
    sessions: redisSessions(link, keyPrefix),
    oneTime,
    attempts: oneTime,
    counters: redisCounters(link, keyPrefix),
  }
}
