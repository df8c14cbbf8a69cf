import { checkAnswers } from '../lib/check.js'
import { atLeast, type Figure } from '../lib/report.js'
import { interleaved, type Rounds } from '../lib/rounds.js'
import type { Scenario } from '../lib/run-context.js'
import { type BenchServer, startBenchServer } from '../lib/server-process.js'
import { ratios, spread } from '../lib/statistics.js'

const compared = {
  bare: 'bare Fastify route',
  handWritten: 'hand-written limit',
  memory: 'ours, memory',
  redis: 'ours, Redis + SQLite',
  handWrittenBearer: 'hand-written limit, bearer',
  bearer: 'ours, bearer, SQLite',
  fastifySession: '@fastify/session, Redis',
  betterRedis: 'better-auth, Redis',
  betterSqlite: 'better-auth, SQLite',
} as const

const files: Record<keyof typeof compared, string> = {
  bare: 'bare',
  handWritten: 'hand-written',
  memory: 'ours-memory',
  redis: 'ours-redis',
  handWrittenBearer: 'hand-written-bearer',
  bearer: 'ours-bearer',
  fastifySession: 'fastify-session',
  betterRedis: 'better-auth-redis',
  betterSqlite: 'better-auth-sqlite',
}

/** Authenticated `GET /me`: the plugin compared with the other servers. */
export const requests: Scenario = async (context) => {
  const { machine, plan, folder, load } = context
  const redis = await context.startRedis()
  const keys = Object.keys(compared) as (keyof typeof compared)[]
  const servers: BenchServer[] = []
  for (const key of keys) {
    const server = await startBenchServer(machine, compared[key], {
      file: files[key],
      folder,
      redisUrl: redis.url,
      users: plan.users,
      active: plan.users,
    })
    context.defer(() => server.stop())
    await checkAnswers(server, 'me')
    servers.push(server)
  }
  const measured = await interleaved(load, servers, 'me', plan)
  const of = (key: keyof typeof compared) =>
    measured.get(servers[keys.indexOf(key)] as BenchServer) as Rounds

  const ratio = (
    name: string,
    key: keyof typeof compared,
    base: keyof typeof compared,
    floor?: number,
  ): Figure[] => {
    const value = ratios(of(key).perSecond, of(base).perSecond)
    const byCpu = ratios(of(key).perCpuSecond, of(base).perCpuSecond)
    return [
      { name, unit: '×', value, ...(floor !== undefined && { target: atLeast(value, floor) }) },
      { name, note: 'per second of processor time', unit: '×', value: byCpu },
    ]
  }
  return {
    title: 'Authenticated requests',
    about: `GET /me over 50 connections, ${plan.users} sessions or access tokens of as many users, ${plan.rounds} interleaved rounds of ${plan.seconds} s. Ratios are of the same round.`,
    figures: [
      ...ratio('ours, Redis + SQLite, of the hand-written limit', 'redis', 'handWritten', 0.9),
      ...ratio('ours, Redis + SQLite, of @fastify/session', 'redis', 'fastifySession', 2),
      ...ratio('ours, Redis + SQLite, of better-auth with Redis', 'redis', 'betterRedis', 6),
      ...ratio('ours, Redis + SQLite, of better-auth with SQLite', 'redis', 'betterSqlite', 6),
      ...ratio('bearer request, of hand-written', 'bearer', 'handWrittenBearer', 0.9),
      ...ratio('bearer request, of the session request with Redis + SQLite', 'bearer', 'redis', 1),
      ...ratio('ours, memory, of bare Fastify', 'memory', 'bare', 0.7),
      ...keys.flatMap((key): Figure[] => [
        { name: compared[key], unit: 'requests/s', value: spread(of(key).perSecond) },
        { name: compared[key], note: 'p99', unit: 'ms', value: spread(of(key).p99Ms) },
        {
          name: compared[key],
          note: "share of the server's core",
          unit: '',
          value: spread(of(key).cpuShare),
        },
      ]),
    ],
  }
}
