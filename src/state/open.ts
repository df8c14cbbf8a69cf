import type { FastifyInstance } from 'fastify'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { ConfigError } from '../errors.js'
import { createDeadline, withDeadline } from '../lib/deadline.js'
import type { StateContext, StateStores } from '../ports/state-stores.js'
import { guardStores } from './guard.js'
import { memoryState } from './memory/index.js'

interface StateOptions {
  /** Without it, and without `state`, state is kept in memory. */
  readonly redis?: string | RedisOptions | Redis | Cluster | undefined
  readonly state?: StateStores | undefined
  readonly keyPrefix: string
  readonly timeouts: { readonly redisMs: number; readonly stateMs: number }
}

/** Creates the state stores: those of the app, in Redis or in memory. Connects with `connect()`. */
export async function createState(app: FastifyInstance, options: StateOptions) {
  const { redis, state, keyPrefix, timeouts } = options
  const log: StateContext['log'] = (message, cause) =>
    cause
      ? app.log.error({ err: cause }, `fastify-crudauth: ${message}`)
      : app.log.info(`fastify-crudauth: ${message}`)
  if (state !== undefined) return stateOfApp(app, state, { timeoutMs: timeouts.stateMs, log })
  if (redis === undefined) {
    app.log.warn(
      'fastify-crudauth keeps sessions and counters in the memory of this process. They end with it, and other processes do not share them. Set "redis" or "state" to change that',
    )
    return { ...memoryState(), connect() {} }
  }
  // Imported on demand: ioredis takes a third of the package's import time.
  const { openRedis, redisState } = await import('./redis/index.js')
  const opened = openRedis(redis, { timeoutMs: timeouts.redisMs, log })
  app.addHook('onClose', async function closeRedis() {
    await opened.close()
  })
  return {
    ...redisState(opened.client, { keyPrefix, timeoutMs: timeouts.redisMs }),
    connect: opened.connect,
  }
}

/** State in the stores of the option `state`. The app closes their connections itself. */
function stateOfApp(app: FastifyInstance, state: StateStores, context: StateContext) {
  const stores = guardStores(state, context)
  let started: Promise<unknown> | undefined
  app.addHook('onReady', async function verifyState() {
    await verify(state, context, app)
  })
  app.addHook('onClose', async function stopState() {
    try {
      const stop = await started
      if (typeof stop === 'function') await stop()
    } catch (cause) {
      app.log.error({ err: cause }, 'fastify-crudauth: could not end the work of the shared state')
    }
  })
  return {
    ...stores,
    attempts: stores.oneTime,
    connect() {
      // A promise too, though the type forbids it: a rejection must not end the process.
      started = Promise.resolve(state.start?.(context)).catch((cause) => {
        app.log.error({ err: cause }, 'fastify-crudauth: the shared state could not start its work')
      })
    },
  }
}

async function verify(
  state: StateStores,
  { timeoutMs }: StateContext,
  app: FastifyInstance,
): Promise<void> {
  await withDeadline(
    createDeadline(timeoutMs),
    async () => state.verify?.(),
    'The state store',
    (cause) => cause,
  ).catch((error: { code?: unknown }) => {
    if (error instanceof ConfigError) throw error
    app.log.warn(
      { err: error },
      'fastify-crudauth: could not verify the shared state now; until it answers, requests that need it get 503',
    )
  })
}
