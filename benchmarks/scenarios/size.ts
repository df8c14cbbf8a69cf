import { checkAnswers } from '../lib/check.js'
import { atLeast } from '../lib/report.js'
import { interleaved, type Rounds } from '../lib/rounds.js'
import type { Scenario } from '../lib/run-context.js'
import { startBenchServer } from '../lib/server-process.js'
import { ratios, spread } from '../lib/statistics.js'

/** Whether requests are as fast with a million users and sessions as with a thousand. */
export const size: Scenario = async (context) => {
  const { machine, plan, folder, load } = context
  const sizes = [1000, plan.quick ? 20_000 : 1_000_000]
  const servers = []
  for (const users of sizes) {
    const redis = await context.startRedis()
    const name = `ours, ${users.toLocaleString('en-US')} users`
    const server = await startBenchServer(machine, name, {
      file: 'ours-redis',
      folder,
      redisUrl: redis.url,
      users,
      active: 20_000,
    })
    context.defer(() => server.stop())
    await checkAnswers(server, 'me')
    servers.push(server)
  }
  const measured = await interleaved(load, servers, 'me', plan)
  const [small, large] = servers.map((server) => measured.get(server) as Rounds) as [Rounds, Rounds]
  const ratio = ratios(large.perSecond, small.perSecond)
  const byCpu = ratios(large.perCpuSecond, small.perCpuSecond)
  const target = atLeast(ratio, 0.9, plan.quick ? '≥ 0.9 (at 1,000,000)' : '≥ 0.9')
  const label = `${(sizes[1] as number).toLocaleString('en-US')} users and sessions, of 1,000`
  return {
    title: 'Cost against size',
    about:
      'GET /me with Redis + SQLite; requests come from up to 20,000 sessions spread over all, more than any cache in the process holds.',
    figures: [
      { name: label, unit: '×', value: ratio, target },
      { name: label, note: 'per second of processor time', unit: '×', value: byCpu },
      { name: 'small', unit: 'requests/s', value: spread(small.perSecond) },
      { name: 'large', unit: 'requests/s', value: spread(large.perSecond) },
    ],
  }
}
