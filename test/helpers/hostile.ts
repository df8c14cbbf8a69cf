import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { Redis } from 'ioredis'
import { memoryUsers, type UserId, type UserStore } from '../../src/index.js'
import { serverUrl } from './backends.js'

export const sessionCookie = '__Host-crudauth_session'
export const csrfCookie = 'csrf_token'
export const deviceCookie = '__Host-crudauth_device'

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/** Counts responses by status. */
export function statuses(responses: readonly { statusCode: number }[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { statusCode } of responses) counts[statusCode] = (counts[statusCode] ?? 0) + 1
  return counts
}

/** Fails the test if there is an unhandled rejection. */
export function noUnhandledRejections(t: TestContext): void {
  const seen: unknown[] = []
  const note = (error: unknown) => void seen.push(error)
  process.on('unhandledRejection', note)
  t.after(async () => {
    await nextTurn()
    process.off('unhandledRejection', note)
    assert.deepEqual(seen, [])
  })
}

/** In-memory users, with a function that returns all rows. */
export function openUsers(options: Parameters<typeof memoryUsers>[0] = {}) {
  const inner = memoryUsers(options)
  const ids: UserId[] = []
  const store: UserStore = {
    ...inner,
    async create(values) {
      const row = await inner.create(values)
      ids.push(row.id as UserId)
      return row
    },
  }
  return { store, rows: () => Promise.all(ids.map((id) => inner.findById(id))) }
}

/** Returns every key, field and value under a prefix in the Redis server of the tests. */
export async function redisTexts(prefix: string): Promise<string[]> {
  const client = new Redis(serverUrl('TEST_REDIS_URL') ?? '')
  try {
    const texts: string[] = []
    for (const key of await client.keys(`${prefix}*`)) {
      texts.push(key)
      if ((await client.type(key)) === 'hash') {
        for (const [field, value] of Object.entries(await client.hgetall(key)))
          texts.push(field, value)
      } else texts.push((await client.get(key)) ?? '')
    }
    return texts
  } finally {
    client.disconnect()
  }
}

export const form = 'application/x-www-form-urlencoded'

/** Posts an unmodified body with any content type, or without one. */
export const postBytes = (
  app: FastifyInstance,
  url: string,
  payload: string | Buffer,
  contentType?: string,
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> =>
  app.inject({
    method: 'POST',
    url,
    payload,
    headers: { ...(contentType !== undefined && { 'content-type': contentType }), ...headers },
  })

/** Listens on a free port of 127.0.0.1. Returns the port. */
export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as { port: number }).port
}

/**
 * Sends unmodified text over a socket. Returns everything that the server sends until it closes.
 * @param to a port of 127.0.0.1 or the path of a Unix socket
 */
export async function sendRaw(
  to: number | string,
  text: string,
): Promise<{ status: number; text: string }> {
  const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  // A server that refuses a huge request resets the connection while it is still being sent.
  socket.on('error', () => {})
  socket.write(text)
  await once(socket, 'close')
  const answer = Buffer.concat(chunks).toString('utf8')
  return { status: Number(answer.split(' ')[1] ?? 0), text: answer }
}
