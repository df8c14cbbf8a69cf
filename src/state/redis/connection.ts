import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { createDeadline, type Deadline } from '../../lib/deadline.js'
import { StateUnavailableError } from '../unavailable.js'
import { withoutData } from './redact-error.js'

/** A client of ioredis: single server, Sentinel or Cluster. */
export type RedisClient = Redis | Cluster

/** A Lua script, known to the server by its SHA-1. */
interface Script {
  readonly lua: string
  readonly sha: string
}

export const script = (lua: string): Script => ({
  lua,
  sha: createHash('sha1').update(lua).digest('hex'),
})

/** The way to Redis that all stores share: bounded waits, one kind of error, no data in it. */
export interface RedisLink {
  readonly client: Redis
  /** Keys of one call must then share a slot. */
  readonly isCluster: boolean
  /** Sends a command and waits for its answer. @throws StateUnavailableError */
  ask<T>(send: () => Promise<T>): Promise<T>
  /** Runs a script, in one round trip when the server knows it. @throws StateUnavailableError */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
}

// Answers of a server that did not begin to run the command, so that sending it again cannot do it twice.
const NOT_RUN = /^(NOSCRIPT|MOVED|ASK|TRYAGAIN)\b/

const unavailable = (why: string) => new StateUnavailableError(new Error(why))

/**
 * Scripts go by EVALSHA, and by EVAL when the server does not know them (new, restarted, flushed, failed over). Not by
 * `defineCommand`: ioredis copies every defined command onto each pipeline, that is onto nearly each request with
 * auto-pipelining, which cost 15 % of a read; nor is there anything of ours to be found on the app's own client.
 *
 * A command is handed to ioredis only while the connection stands: one that waited in a queue of ioredis would run after
 * its caller was told that it failed. While there is no connection, commands wait here until `timeoutMs` after the first
 * that met none (so at start-up, and over a short interruption), and fail at once from then on.
 */
export function redisLink(redisClient: RedisClient, timeoutMs: number): RedisLink {
  // Cluster has the same commands; the union of both types cannot be called where they are overloaded.
  const client = redisClient as Redis
  const deadline = createDeadline(timeoutMs)
  let downSince: number | undefined
  let connected: Promise<void> | undefined

  const send = <T>(first: () => Promise<T>, again: () => Promise<T>, limit: Deadline) =>
    new Promise<T>((resolve, reject) => {
      let over = false
      const wait = limit.begin(() => {
        over = true
        reject(unavailable(`Redis did not answer within ${timeoutMs} ms`))
      })
      const settle = (value: T) => {
        limit.end(wait)
        resolve(value)
      }
      // A slot of a Cluster may have moved on by the time that its new place is asked.
      let triesLeft = 3
      const failed = (error: unknown) => {
        if (triesLeft > 0 && !over && error instanceof Error && NOT_RUN.test(error.message)) {
          triesLeft -= 1
          start(again)
          return
        }
        limit.end(wait)
        reject(new StateUnavailableError(withoutData(error)))
      }
      const start = (command: () => Promise<T>) => {
        // ioredis throws instead of rejecting when no node of a Cluster serves the slot.
        try {
          command().then(settle, failed)
        } catch (error) {
          failed(error)
        }
      }
      start(first)
    })

  /** One listener and one timer for all who wait. */
  const connection = (limitMs: number) => {
    connected ??= new Promise<void>((resolve, reject) => {
      const settled = () => {
        clearTimeout(timer)
        client.off('ready', onReady)
        client.off('end', onEnd)
        connected = undefined
      }
      const onReady = () => {
        settled()
        resolve()
      }
      const onEnd = () => {
        settled()
        reject(unavailable('The Redis client was closed'))
      }
      const timer = setTimeout(() => {
        settled()
        reject(unavailable(`Redis is not connected after ${timeoutMs} ms`))
      }, limitMs)
      client.on('ready', onReady)
      client.on('end', onEnd)
    })
    return connected
  }

  const sendWhenConnected = async <T>(
    first: () => Promise<T>,
    again: () => Promise<T>,
  ): Promise<T> => {
    if (client.status === 'end') throw unavailable('The Redis client was closed')
    const now = performance.now()
    if (client.status === 'wait') {
      downSince = now
      client.connect().catch(() => undefined)
    }
    downSince ??= now
    const limitMs = downSince + timeoutMs - now
    if (limitMs <= 0) throw unavailable('Redis is not connected')
    await connection(limitMs)
    return send(first, again, createDeadline(Math.max(1, timeoutMs - (performance.now() - now))))
  }

  const ask = <T>(first: () => Promise<T>, again = first): Promise<T> => {
    if (client.status !== 'ready' && client.status !== undefined)
      return sendWhenConnected(first, again)
    downSince = undefined
    return send(first, again, deadline)
  }

  return {
    client,
    isCluster: client.isCluster || typeof (redisClient as { nodes?: unknown }).nodes === 'function',
    ask: (command) => ask(command),
    run: ({ lua, sha }, keys, args) =>
      ask<unknown>(
        () => client.evalsha(sha, keys.length, ...keys, ...args),
        () => client.eval(lua, keys.length, ...keys, ...args),
      ),
  }
}
