import { ratioOf } from '../lib/compare-servers.js'
import { measuredOf } from '../lib/report.js'
import { interleaved } from '../lib/rounds.js'
import type { Scenario } from '../lib/run-context.js'
import type { Rounds } from '../lib/statistics.js'

const files = { ours: 'ours-session', 'hand-written': 'hand-written-session' } as const

/** Whether requests are as fast with a million users and sessions as with a thousand. */
export const size: Scenario = async (context) => {
  const { plan, load } = context
  const sizes = [1000, plan.quick ? 20_000 : 1_000_000]
  const turns = []
  for (const users of sizes) {
    for (const [name, file] of Object.entries(files)) {
      const { url: redisUrl } = await context.startRedis()
      const postgresUrl = await context.createDatabase()
      const options = { file, redisUrl, postgresUrl, users, active: 20_000 }
      const label = `${name}, ${users.toLocaleString('en-US')} users`
      turns.push({ server: await context.startServer(label, options, 'me') })
    }
  }
  const rounds = await interleaved(load, turns, plan)
  const [ours, limit, oursLarge, limitLarge] = rounds as [Rounds, Rounds, Rounds, Rounds]
  const large = (sizes[1] as number).toLocaleString('en-US')
  return {
    title: 'Cost against size',
    about:
      'GET /me with PostgreSQL and Redis; requests come from up to 20,000 sessions spread over all, more than any cache in the process holds.',
    figures: [
      ratioOf(`ours, of hand-written, both at ${large}`, oursLarge, limitLarge, 0.9),
      ratioOf('ours, of hand-written, both at 1,000', ours, limit),
      ratioOf(`ours at ${large}, of ours at 1,000`, oursLarge, ours),
      ratioOf(`hand-written at ${large}, of itself at 1,000`, limitLarge, limit),
    ],
    servers: turns.map(({ server }, at) => measuredOf(server.name, rounds[at] as Rounds)),
  }
}
