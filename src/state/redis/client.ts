import { Redis, type RedisOptions } from 'ioredis'
import type { RedisClient } from './connection.js'
import { withoutData } from './redact-error.js'

export interface OpenRedisOptions {
  /** Longest wait for an answer, in milliseconds. Default 1000. */
  readonly timeoutMs?: number
  /** Told once per outage of a client that was made here, and once of its end. Carries no address and no credential. */
  readonly log?: (message: string, cause?: Error) => void
}

export interface OpenedRedis {
  readonly client: RedisClient
  /** True when the client was made here and ends with `close()`. */
  readonly owned: boolean
  /** Starts connecting without waiting for it, so that the first request need not. Without it the first command does. */
  connect(): void
  /** Ends an owned client, after answers under way or `timeoutMs`; leaves the app's own client alone. Never throws. */
  close(): Promise<void>
}

const ignore = () => undefined

/** By its shape: an app may have another copy of ioredis, of which `instanceof` knows nothing. */
export function isRedisClient(input: unknown): input is RedisClient {
  if (typeof input !== 'object' || input === null) return false
  const client = input as Partial<Record<'defineCommand' | 'nodes' | 'status', unknown>>
  return (
    typeof client.defineCommand === 'function' &&
    (typeof client.status === 'string' || typeof client.nodes === 'function')
  )
}

/**
 * Opens what the app gave as `redis`: a URL or options of ioredis make a client of ours, a client stays the app's. Opens no
 * socket yet and does not throw when Redis is down.
 */
export function openRedis(
  input: string | RedisOptions | RedisClient,
  options: OpenRedisOptions = {},
): OpenedRedis {
  if (isRedisClient(input))
    return { client: input, owned: false, connect: ignore, close: async () => {} }
  const timeoutMs = options.timeoutMs ?? 1000
  const client =
    typeof input === 'string'
      ? new Redis(input, ours({}, timeoutMs))
      : new Redis(ours(input, timeoutMs))
  reportOutages(client, options.log ?? ignore)
  return {
    client,
    owned: true,
    connect() {
      if (client.status === 'wait') client.connect().catch(ignore)
    },
    close: () => closeClient(client, timeoutMs),
  }
}

/** The app's options over our defaults, and over both what must not be otherwise. */
function ours(input: RedisOptions, timeoutMs: number): RedisOptions & { replyMapping: 'legacy' } {
  return {
    enableAutoPipelining: true,
    connectTimeout: 5000,
    keepAlive: 30_000,
    // A server that hangs without closing would collect unanswered commands for ever; this ends such a connection.
    socketTimeout: Math.max(2 * timeoutMs, 1000),
    disconnectTimeout: Math.min(timeoutMs, 500),
    retryStrategy: (times) =>
      Math.min(50 * 2 ** Math.min(times - 1, 10), 1000) + Math.floor(Math.random() * 50),
    // A former primary that Sentinel has demoted: connect anew, which asks Sentinel again. 1 = without sending again.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
    ...input,
    lazyConnect: true,
    replyMapping: 'legacy',
    // When an answer is lost, nobody knows whether the command ran. Sent again, a take finds its value gone, an attempt
    // counts twice; kept in a queue, it runs long after its request was answered 503. So nothing waits and nothing is
    // sent again inside ioredis: what is under way fails with its connection, and `link.ts` waits before it sends.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }
}

function reportOutages(client: Redis, log: (message: string, cause?: Error) => void) {
  let reported = false
  // Without a listener ioredis writes each failed attempt to the console, with the server's address.
  client.on('error', (error: Error) => {
    if (reported) return
    reported = true
    log('Redis is unreachable; reconnecting', withoutData(error))
  })
  client.on('ready', () => {
    if (reported) log('Redis is reachable again')
    reported = false
  })
}

async function closeClient(client: Redis, timeoutMs: number): Promise<void> {
  if (client.status === 'ready') {
    let timer: NodeJS.Timeout | undefined
    const timeOut = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    // Of a hung server there is no answer to wait for.
    await Promise.race([client.quit().catch(ignore), timeOut])
    clearTimeout(timer)
  }
  if (client.status !== 'end' && client.status !== 'close') client.disconnect()
}
