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
  /**
   * Time limit of a call in milliseconds. After it, the call fails with `StateUnavailableError`.
   * Default 1000.
   */
  readonly timeoutMs?: number
}

/**
 * State in Redis 6.2 or later, shared by all processes: single server, Sentinel or Cluster.
 *
 * When a node is lost, a Cluster client resends commands that may already have run
 * (`retryDelayOnFailover`). Set `retryDelayOnFailover: 0` if a lost response must not use up a
 * one-time value. Leave `scaleReads` at `master`: a replica may still have a session that has just
 * been revoked.
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
