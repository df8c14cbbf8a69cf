import type { FastifyInstance } from 'fastify'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { memoryState } from './memory/index.js'

interface StateOptions {
  /** Without it, state is kept in memory. */
  readonly redis?: string | RedisOptions | Redis | Cluster | undefined
  readonly keyPrefix: string
  readonly timeouts: { readonly redisMs: number }
}

/** Creates the state stores, in Redis or in memory. The socket opens with `connect()`. */
export async function createState(app: FastifyInstance, options: StateOptions) {
  const { redis, keyPrefix, timeouts } = options
  if (redis === undefined) {
    app.log.warn(
      'fastify-crudauth keeps sessions and counters in the memory of this process. They end with it, and other processes do not share them. Set "redis" to change that',
    )
    return { ...memoryState(), connect() {} }
  }
  // Imported on demand: ioredis takes a third of the package's import time.
  const { openRedis, redisState } = await import('./redis/index.js')
  const opened = openRedis(redis, {
    timeoutMs: timeouts.redisMs,
    log: (message, cause) =>
      cause
        ? app.log.error({ err: cause }, `fastify-crudauth: ${message}`)
        : app.log.info(`fastify-crudauth: ${message}`),
  })
  app.addHook('onClose', async function closeRedis() {
    await opened.close()
  })
  return {
    ...redisState(opened.client, { keyPrefix, timeoutMs: timeouts.redisMs }),
    connect: opened.connect,
  }
}
