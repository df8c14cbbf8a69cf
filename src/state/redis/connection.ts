import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { createDeadline, type Deadline } from '../../lib/deadline.js'
import { StateUnavailableError } from '../unavailable.js'
import { oneWritePerTurn } from './one-write.js'
import { withoutData } from './redact-error.js'

/** An ioredis client for a single server, Sentinel or Cluster. */
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

/**
 * Sends commands for all stores, with a time limit and one type of error, which contains no data.
 */
export interface RedisLink {
  readonly client: Redis
  /** On a Cluster, the keys of one call must share a slot. */
  readonly isCluster: boolean
  /**
   * Sends a command and waits for its response.
   * @throws StateUnavailableError
   */
  ask<T>(send: () => Promise<T>): Promise<T>
  /**
   * Runs a script, in one round trip if the server has it cached.
   * @throws StateUnavailableError
   */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
}

// Errors of a server that did not start the command, so it is safe to resend.
const NOT_RUN = /^(NOSCRIPT|MOVED|ASK|TRYAGAIN)\b/

const unavailable = (why: string) => new StateUnavailableError(new Error(why))

/**
 * Creates the link to Redis. Scripts run by EVALSHA, or by EVAL if the server hasn't cached them
 * (new, restarted, flushed, failed over). `defineCommand` would add commands to the client of the
 * app.
 *
 * A command is passed to ioredis only while it is connected. A command queued in ioredis would run
 * after its caller got an error. While disconnected (at start-up or in a short interruption),
 * commands wait here until `timeoutMs` after the first of them. From then on, they fail
 * immediately.
 */
export function redisLink(redisClient: RedisClient, timeoutMs: number): RedisLink {
  // Cluster has the same commands, but TypeScript can't call overloaded methods of the union type.
  const client = redisClient as Redis
  const deadline = createDeadline(timeoutMs)
  let downSince: number | undefined
  let connected: Promise<void> | undefined
  const batch = oneWritePerTurn(client)

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
      // A slot of a Cluster may move again before its new node is asked.
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
        // ioredis throws, instead of rejecting, if no node of a Cluster serves the slot.
        try {
          batch()
          command().then(settle, failed)
        } catch (error) {
          failed(error)
        }
      }
      start(first)
    })

  /** Waits for the connection. All waiting commands share one listener and one timer. */
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
    downSince = undefined
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
