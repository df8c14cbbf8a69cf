import { ratioOf } from '../lib/compare-servers.js'
import { measuredOf } from '../lib/report.js'
import { interleaved } from '../lib/rounds.js'
import type { Scenario } from '../lib/run-context.js'
import type { Rounds } from '../lib/statistics.js'

const clients = 8

/** Logins beside the machine's maximum, and refreshes. */
export const logins: Scenario = async (context) => {
  const { plan, load } = context
  const { url: redisUrl } = await context.startRedis()
  const postgresUrl = await context.createDatabase()
  const times = {
    rounds: plan.quick ? 2 : plan.rounds,
    seconds: plan.quick ? 1 : plan.seconds,
    warmUpSeconds: 1,
  }
  const signIns = plan.users
  const raw = await context.startServer('raw argon2id', { file: 'raw-argon2', signIns }, 'login')
  const session = { file: 'ours-session', redisUrl, postgresUrl, signIns }
  const ours = await context.startServer('ours, POST /login', session, 'login')
  const turns = [raw, ours].map((server) => ({ server, kind: 'login' }))
  const [rawRounds, ourRounds] = (await interleaved(load, turns, times, clients)) as [
    Rounds,
    Rounds,
  ]

  const bearer = { file: 'ours-bearer', redisUrl, postgresUrl: await context.createDatabase() }
  const tokens = await context.startServer('ours, POST /refresh', bearer, 'me')
  const refresh = { server: tokens, kind: 'refresh', follow: 'refresh_token' }
  const [refreshRounds] = (await interleaved(load, [refresh], times)) as [Rounds]
  return {
    title: 'Logins and refreshes',
    about: `PostgreSQL and Redis. POST /login by ${clients} clients without pause: argon2id with 19,456 KiB and two passes on the server's one core, lockout on, each client behind an address of its own. Then POST /refresh with rotation over 50 connections.`,
    figures: [ratioOf('logins, of raw argon2id verifies', ourRounds, rawRounds, 0.95)],
    servers: [
      measuredOf('raw argon2id verifies', rawRounds),
      measuredOf(ours.name, ourRounds),
      measuredOf(tokens.name, refreshRounds),
    ],
  }
}
