import { checkResult } from './check.js'
import type { Load } from './load.js'
import { connections, type Plan } from './run-context.js'
import type { BenchServer } from './server-process.js'

/** The results of one server, by round. */
export interface Rounds {
  readonly perSecond: readonly number[]
  /** Requests per second of the server's CPU time. Stable even if the machine is busy. */
  readonly perCpuSecond: readonly number[]
  readonly p99Ms: readonly number[]
  /** CPU usage of the server. If it is far below 1, something else was the limit. */
  readonly cpuShare: readonly number[]
}

export async function measureOnce(
  load: Load,
  server: BenchServer,
  kind: string,
  seconds: number,
  clients = connections,
) {
  const before = await server.cpuSeconds()
  const result = await load.run({
    url: server.url,
    connections: clients,
    seconds,
    cases: server.cases[kind] ?? [],
  })
  const cpu = (await server.cpuSeconds()) - before
  checkResult(server.name, result)
  return {
    perSecond: result.requests / result.seconds,
    perCpuSecond: result.requests / cpu,
    p99Ms: result.p99Ms,
    cpuShare: cpu / result.seconds,
  }
}

/** Warms up all servers, then measures them in rounds. Every second round reverses the order. */
export async function interleaved(
  load: Load,
  servers: readonly BenchServer[],
  kind: string,
  { rounds, seconds, warmUpSeconds }: Pick<Plan, 'rounds' | 'seconds' | 'warmUpSeconds'>,
  clients = connections,
): Promise<Map<BenchServer, Rounds>> {
  const found = new Map(
    servers.map((server) => [
      server,
      { perSecond: [], perCpuSecond: [], p99Ms: [], cpuShare: [] } as Record<
        keyof Rounds,
        number[]
      >,
    ]),
  )
  for (const server of servers) await measureOnce(load, server, kind, warmUpSeconds, clients)
  for (let round = 0; round < rounds; round++) {
    for (const server of round % 2 === 0 ? servers : [...servers].reverse()) {
      const measured = await measureOnce(load, server, kind, seconds, clients)
      const of = found.get(server) as Record<keyof Rounds, number[]>
      for (const name of Object.keys(measured) as (keyof Rounds)[]) of[name].push(measured[name])
    }
  }
  return found
}
