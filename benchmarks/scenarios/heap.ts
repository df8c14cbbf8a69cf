import { checkResult } from '../lib/check.js'
import { atMost, once } from '../lib/report.js'
import { connections, type Scenario } from '../lib/run-context.js'

/** Whether many requests leak memory. */
export const heap: Scenario = async (context) => {
  const [first, last] = context.plan.quick ? [10_000, 40_000] : [100_000, 1_000_000]
  const { url: redisUrl } = await context.startRedis()
  const postgresUrl = await context.createDatabase()
  const options = { file: 'ours-session', redisUrl, postgresUrl }
  const server = await context.startServer('ours, heap', options, 'me')
  const cases = server.cases.me ?? []
  const send = async (amount: number) => {
    const job = { url: server.url, connections, seconds: 0, amount, cases }
    checkResult(server.name, await context.load.run(job))
  }
  await send(first)
  const before = await server.heapBytes()
  await send(last - first)
  const after = await server.heapBytes()
  const growth = once(after / before)
  return {
    title: 'Heap',
    about: `Bytes in use after collecting garbage, after ${last.toLocaleString('en-US')} session requests and after ${first.toLocaleString('en-US')}, with PostgreSQL and Redis.`,
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
