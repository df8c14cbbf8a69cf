import { compareServers, conditionsOf } from '../lib/compare-servers.js'
import type { Scenario } from '../lib/run-context.js'

/** Authenticated `GET /me` with PostgreSQL and Redis: the set-up that production has. */
export const postgres: Scenario = async (context) => {
  const compare = async () => {
    const { url: redisUrl } = await context.startRedis()
    const on = async (file: string) => ({
      file,
      redisUrl,
      postgresUrl: await context.createDatabase(),
    })
    return {
      session: ['ours, session', await on('ours-session')],
      handSession: ['hand-written, session', await on('hand-written-session')],
      bearer: ['ours, bearer', await on('ours-bearer')],
      handBearer: ['hand-written, bearer', await on('hand-written-bearer')],
      passkeys: ['ours, session, with passkeys on', await on('ours-session-passkeys')],
      sqlState: ['ours, session, state in PostgreSQL', await on('ours-session-sql')],
      fastifySession: ['@fastify/session and the user', await on('fastify-session')],
      withoutUser: ['@fastify/session alone', { file: 'fastify-session', redisUrl }],
      betterAuth: ['better-auth', await on('better-auth')],
    } as const
  }
  return {
    title: 'Requests with PostgreSQL and Redis',
    about: `GET /me; ${conditionsOf(context)}. Ratios are of requests per second of processor time in the same round.`,
    ...(await compareServers(context, compare, [
      ['session, of hand-written', 'session', 'handSession', 0.9],
      ['bearer, of hand-written', 'bearer', 'handBearer', 0.9],
      ['session, of @fastify/session and the user', 'session', 'fastifySession', 2],
      ['session, of better-auth', 'session', 'betterAuth', 6],
      ['session with passkeys on, of the same without', 'passkeys', 'session'],
      ['session with state in PostgreSQL, of the same with Redis', 'sqlState', 'session', 0.7],
    ])),
  }
}
