import { Redis, type RedisOptions } from 'ioredis'
import { fail } from '../../lib/option-checks.js'
import type { RedisClient } from './connection.js'
import { withoutData } from './redact-error.js'

export interface OpenRedisOptions {
  /** Longest wait for a response, in milliseconds. Default 1000. */
  readonly timeoutMs?: number
  /**
   * Called once when an owned client loses its server, and once when it is back. Gets no address
   * and no credential.
   */
  readonly log?: (message: string, cause?: Error) => void
}

export interface OpenedRedis {
  readonly client: RedisClient
  /** Whether the client was created here. `close()` ends only such a client. */
  readonly owned: boolean
  /** Starts to connect, without waiting. Without it, the first command connects. */
  connect(): void
  /**
   * Ends an owned client, after pending responses or `timeoutMs`. Does nothing to a client of the
   * app. Never throws.
   */
  close(): Promise<void>
}

const ignore = () => undefined

/**
 * Whether a value is a client. Checks its shape: `instanceof` fails for another copy of ioredis.
 */
export function isRedisClient(input: unknown): input is RedisClient {
  if (typeof input !== 'object' || input === null) return false
  const client = input as Partial<Record<'defineCommand' | 'nodes' | 'status', unknown>>
  return (
    typeof client.defineCommand === 'function' &&
    (typeof client.status === 'string' || typeof client.nodes === 'function')
  )
}

/**
 * Opens the `redis` option. Creates an owned client from a URL or from ioredis options, and uses a
 * client of the app as it is. Opens no socket yet, so it doesn't throw when Redis is down.
 */
export function openRedis(
  input: string | RedisOptions | RedisClient,
  options: OpenRedisOptions = {},
): OpenedRedis {
  if (isRedisClient(input))
    return { client: input, owned: false, connect: ignore, close: async () => {} }
  const timeoutMs = options.timeoutMs ?? 1000
  // ioredis lets the query of a URL win over its options.
  if (typeof input === 'string' && URL.canParse(input)) {
    const unsafe = [...new URL(input).searchParams.keys()].find((name) => fixed.includes(name))
    if (unsafe !== undefined)
      fail(`"redis" sets "${unsafe}" in its URL, which this plugin decides; remove it`)
  }
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

/** Settings of `ours` that the app can't change. */
const fixed = [
  'lazyConnect',
  'replyMapping',
  'enableOfflineQueue',
  'autoResendUnfulfilledCommands',
  'maxRetriesPerRequest',
]

/** Merges our defaults, the options of the app and the settings that must not change. */
function ours(input: RedisOptions, timeoutMs: number): RedisOptions & { replyMapping: 'legacy' } {
  return {
    connectTimeout: 5000,
    keepAlive: 30_000,
    // Ends the connection to a server that hangs without closing. Unanswered commands would
    // otherwise accumulate forever.
    socketTimeout: Math.max(2 * timeoutMs, 1000),
    disconnectTimeout: Math.min(timeoutMs, 500),
    retryStrategy: (times) =>
      Math.min(50 * 2 ** Math.min(times - 1, 10), 1000) + Math.floor(Math.random() * 50),
    // The server is a primary that Sentinel has demoted. Reconnecting asks Sentinel again. The
    // value 1 reconnects without resending the command.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
    ...input,
    lazyConnect: true,
    replyMapping: 'legacy',
    // If a response is lost, it is unknown whether the command ran. Resent, a `take` would find its
    // value gone and an attempt would count twice. Queued, a command would run long after its
    // request got a 503. So ioredis neither queues nor resends: pending commands fail with their
    // connection, and `connection.ts` waits for a connection before it sends.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }
}

function reportOutages(client: Redis, log: (message: string, cause?: Error) => void) {
  let reported = false
  // Without a listener, ioredis logs each failed attempt to the console, with the server's address.
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
    // A server that hangs never responds to QUIT.
    await Promise.race([client.quit().catch(ignore), timeOut])
    clearTimeout(timer)
  }
  if (client.status !== 'end' && client.status !== 'close') client.disconnect()
}
