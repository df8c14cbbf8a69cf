import { checkResult } from './check.js'
import type { Load } from './load.js'
import { connections, type Plan } from './run-context.js'
import type { BenchServer } from './server-process.js'
import type { Rounds } from './statistics.js'

export async function measureOnce(
  load: Load,
  server: BenchServer,
  kind: string,
  seconds: number,
  clients = connections,
  follow?: string,
) {
  const before = await server.cpuSeconds()
  const result = await load.run({
    url: server.url,
    connections: clients,
    seconds,
    cases: server.cases[kind] ?? [],
    ...(follow && { follow }),
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

/** The requests of one server in an {@link interleaved} measurement. */
export interface Turn {
  readonly server: BenchServer
  /** Default: `me`. */
  readonly kind?: string
  readonly follow?: string
}

/** Warms up all servers, then measures them in rounds. Every second round reverses the order. */
export async function interleaved(
  load: Load,
  turns: readonly Turn[],
  { rounds, seconds, warmUpSeconds }: Pick<Plan, 'rounds' | 'seconds' | 'warmUpSeconds'>,
  clients = connections,
): Promise<Rounds[]> {
  const measure = ({ server, kind = 'me', follow }: Turn, forSeconds: number) =>
    measureOnce(load, server, kind, forSeconds, clients, follow)
  for (const turn of turns) await measure(turn, warmUpSeconds)
  const measured = turns.map((): Awaited<ReturnType<typeof measureOnce>>[] => [])
  for (let round = 0; round < rounds; round++) {
    const order = [...turns.entries()]
    for (const [at, turn] of round % 2 === 0 ? order : order.reverse())
      measured[at]?.push(await measure(turn, seconds))
  }
  return measured.map((list) => ({
    perSecond: list.map((each) => each.perSecond),
    perCpuSecond: list.map((each) => each.perCpuSecond),
    p99Ms: list.map((each) => each.p99Ms),
    cpuShare: list.map((each) => each.cpuShare),
  }))
}
