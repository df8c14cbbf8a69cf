import type { TestContext } from 'node:test'
import { Redis } from 'ioredis'
import { serverUrl, uniquePrefix } from './backends.js'

/** How a command fails: it never reaches the server, or its response is lost. */
type Failure = 'unsent' | 'unanswered'

/** A client for Redis whose commands a test can count and let fail. */
export function breakableRedis(t: TestContext) {
  const client = new Redis(serverUrl('TEST_REDIS_URL') ?? '')
  t.after(() => client.disconnect())
  const keyPrefix = uniquePrefix()
  const state = {
    fails: (_command: string): Failure | null => null,
    commands: 0,
    options: { redis: client, keyPrefix },
  }
  for (const name of ['get', 'getdel', 'set', 'eval', 'evalsha'] as const) {
    const original = client[name].bind(client) as (...args: unknown[]) => Promise<unknown>
    const replaced = async (...args: unknown[]) => {
      state.commands++
      const failure = state.fails(`${name} ${args.join(' ').replaceAll(keyPrefix, 'crudauth/')}`)
      if (failure === 'unsent') throw new Error('Connection is closed.')
      const answer = await original(...args)
      if (failure === 'unanswered') throw new Error('Connection is closed.')
      return answer
    }
    Object.assign(client, { [name]: replaced })
  }
  return state
}
