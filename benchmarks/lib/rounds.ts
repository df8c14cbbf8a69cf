import { checkResult } from './check.js'
import type { Load } from './load.js'
import { connections, type Plan } from './run-context.js'
import type { BenchServer } from './server-process.js'

/** What one server did, round by round. */
export interface Rounds {
  readonly perSecond: readonly number[]
  /** Requests for each second of the server's processor time: steady where others use the machine as well. */
  readonly perCpuSecond: readonly number[]
  readonly p99Ms: readonly number[]
  /** Share of its core that the server had; far below 1, something else was the limit. */
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

/** Measures all servers in turn, and that several times, after a warm-up of each. Every other round goes backwards. */
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
