import autocannon from 'autocannon'
import { follow } from './follow.js'
import type { Job, LoadResult } from './load.js'

/** The load generator, in its own process. Receives one job at a time by message. */
async function run({ url, connections, seconds, amount, cases }: Job): Promise<LoadResult> {
  let next = 0
  const requests = cases.map(({ method, path, headers, body }) => ({
    method,
    path,
    headers,
    ...(body && { body }),
  }))
  const result = await autocannon({
    url,
    connections,
    ...(amount ? { amount } : { duration: seconds }),
    setupClient(client) {
      // Each connection cycles through its share. All shares together cover all cases.
      const at = next++
      const own = requests.filter((_, index) => index % connections === at % connections)
      client.setRequests(own.length > 0 ? own : requests)
    },
  })
  return {
    requests: result.requests.total,
    seconds: result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    statuses: Object.fromEntries(
      Object.entries(result.statusCodeStats ?? {}).map(([code, { count }]) => [code, count ?? 0]),
    ),
    errors: result.errors + result.timeouts,
  }
}

process.on('message', async (job: Job) => {
  process.send?.(await (job.follow ? follow(job, job.follow) : run(job)))
})
process.on('disconnect', () => process.exit(0))
