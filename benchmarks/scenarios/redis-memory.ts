import { Redis } from 'ioredis'
import { atMost, once } from '../lib/report.js'
import type { Scenario } from '../lib/run-context.js'

async function usedMemory(client: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
}

/** Removes the records of known devices: unlike sessions, they are kept for a year. */
async function forgetDevices(client: Redis): Promise<void> {
  for await (const keys of client.scanStream({ count: 1000 }) as AsyncIterable<string[]>) {
    const lifetimes = await Promise.all(keys.map((key) => client.ttl(key)))
    const devices = keys.filter((_, at) => (lifetimes[at] as number) > 100 * 86_400)
    if (devices.length > 0) await client.del(devices)
  }
}

/** Redis memory per session, including its index. */
export const redisMemory: Scenario = async (context) => {
  const sessions = context.plan.quick ? 10_000 : 100_000
  const { url: redisUrl } = await context.startRedis()
  const client = new Redis(redisUrl)
  context.defer(() => client.quit())
  const before = await usedMemory(client)
  const postgresUrl = await context.createDatabase()
  const options = { file: 'ours-session', redisUrl, postgresUrl, users: sessions, active: 10 }
  await context.startServer('ours, many sessions', options, 'me')
  const bytes = async () => ((await usedMemory(client)) - before) / sessions
  const all = await bytes()
  await forgetDevices(client)
  const session = once(await bytes())
  return {
    title: 'Memory in Redis',
    about: `used_memory after ${sessions.toLocaleString('en-US')} sign-ins, one a user, less that of an empty Redis. A sign-in makes a session and the record of a known device.`,
    figures: [
      {
        name: 'a session with its index',
        unit: 'bytes',
        value: session,
        target: atMost(session, 600),
      },
      { name: 'a known device', unit: 'bytes', value: once(all - session.median) },
    ],
  }
}
