import { checkResult } from '../lib/check.js'
import { atMost, once } from '../lib/report.js'
import { connections, type Scenario } from '../lib/run-context.js'
import { startBenchServer } from '../lib/server-process.js'

/** Whether many requests leak memory. */
export const heap: Scenario = async (context) => {
  const { machine, plan, folder, load } = context
  const [first, last] = plan.quick ? [15_000, 65_000] : [100_000, 1_000_000]
  const redis = await context.startRedis()
  const server = await startBenchServer(machine, 'ours, heap', {
    file: 'ours-redis',
    folder,
    redisUrl: redis.url,
    users: plan.users,
    active: plan.users,
  })
  context.defer(() => server.stop())
  const send = async (amount: number) =>
    checkResult(
      server.name,
      await load.run({
        url: server.url,
        connections,
        seconds: 0,
        amount,
        cases: server.cases.me ?? [],
      }),
    )
  await send(first)
  const before = await server.heapBytes()
  await send(last - first)
  const after = await server.heapBytes()
  const growth = once(after / before)
  return {
    title: 'Heap',
    about: `Bytes in use after collecting garbage, after ${last.toLocaleString('en-US')} authenticated requests beside after ${first.toLocaleString('en-US')}.`,
    figures: [
      {
        name: 'heap after all, of heap after the first',
        unit: '×',
        value: growth,
        target: atMost(growth, 1.1),
      },
      { name: 'heap after the first', unit: 'MiB', value: once(before / 2 ** 20) },
      { name: 'heap after all', unit: 'MiB', value: once(after / 2 ** 20) },
    ],
  }
}
