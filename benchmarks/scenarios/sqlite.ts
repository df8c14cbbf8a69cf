import { compareServers, conditionsOf } from '../lib/compare-servers.js'
import type { Scenario } from '../lib/run-context.js'

/** Authenticated `GET /me` with users in SQLite, and with everything in memory. */
export const sqlite: Scenario = async (context) => {
  const compare = async () => {
    const { url: redisUrl } = await context.startRedis()
    return {
      session: ['ours, session, Redis', { file: 'ours-session', redisUrl }],
      handSession: ['hand-written, session, Redis', { file: 'hand-written-session', redisUrl }],
      bearer: ['ours, bearer', { file: 'ours-bearer', redisUrl }],
      handBearer: ['hand-written, bearer', { file: 'hand-written-bearer' }],
      betterRedis: ['better-auth, Redis', { file: 'better-auth', redisUrl }],
      betterSqlite: ['better-auth, all in SQLite', { file: 'better-auth' }],
      memory: ['ours, all in memory', { file: 'ours-memory' }],
      bare: ['bare Fastify route', { file: 'bare' }],
    } as const
  }
  return {
    title: 'Requests with SQLite, and in memory',
    about: `GET /me; ${conditionsOf(context)}. Ratios are of requests per second of processor time in the same round.`,
    ...(await compareServers(context, compare, [
      ['session, of hand-written', 'session', 'handSession', 0.75],
      ['bearer, of hand-written', 'bearer', 'handBearer', 0.75],
      ['session, of better-auth with Redis', 'session', 'betterRedis'],
      ['session, of better-auth with all in SQLite', 'session', 'betterSqlite'],
      ['all in memory, of bare Fastify', 'memory', 'bare', 0.55],
    ])),
  }
}
