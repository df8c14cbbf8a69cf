import { Redis } from 'ioredis'
import { atMost, once } from '../lib/report.js'
import type { Scenario } from '../lib/run-context.js'

async function usedMemory(url: string): Promise<number> {
  const client = new Redis(url)
  const info = await client.info('memory')
  await client.quit()
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1])
}

/** Redis memory per session, including its index. */
export const redisMemory: Scenario = async (context) => {
  const sessions = context.plan.quick ? 20_000 : 100_000
  const redis = await context.startRedis()
  const before = await usedMemory(redis.url)
  const postgresUrl = await context.createDatabase()
  const options = { file: 'ours-session', redisUrl: redis.url, postgresUrl }
  await context.startServer(
    'ours, many sessions',
    { ...options, users: sessions, active: 10 },
    'me',
  )
  const bytes = once(((await usedMemory(redis.url)) - before) / sessions)
  return {
    title: 'Memory in Redis',
    about: `used_memory after ${sessions.toLocaleString('en-US')} sessions, one a user (the most expensive case), less that of an empty Redis.`,
    figures: [
      { name: 'a session with its index', unit: 'bytes', value: bytes, target: atMost(bytes, 600) },
    ],
  }
}
