import { atLeast, type Figure, measuredOf, type Section } from './report.js'
import { interleaved } from './rounds.js'
import type { RunContext } from './run-context.js'
import type { ServerOptions } from './server-process.js'
import { type Rounds, ratios } from './statistics.js'

/** Servers to compare, by a key, with the name to print. */
export type Compared<Key extends string> = Readonly<
  Record<Key, readonly [name: string, options: ServerOptions]>
>

/** A ratio of two servers, with its target if it has one. */
export type RatioOf<Key extends string> = readonly [
  name: string,
  key: Key,
  base: Key,
  floor?: number,
]

/** Ratio of two servers, by processor time and by wall clock. */
export function ratioOf(name: string, of: Rounds, base: Rounds, floor?: number): Figure {
  const value = ratios(of.perCpuSecond, base.perCpuSecond)
  return {
    name,
    unit: '×',
    value,
    wallClock: ratios(of.perSecond, base.perSecond),
    ...(floor !== undefined && { target: atLeast(value, floor) }),
  }
}

/** Joins the rounds of several processes of one server. */
const joined = (parts: readonly Rounds[]): Rounds => ({
  perSecond: parts.flatMap((part) => part.perSecond),
  perCpuSecond: parts.flatMap((part) => part.perCpuSecond),
  p99Ms: parts.flatMap((part) => part.p99Ms),
  cpuShare: parts.flatMap((part) => part.cpuShare),
})

/**
 * Starts the servers, and measures `GET /me` in interleaved rounds. Does so several times, because
 * processes of the same server differ: what V8 learns in the first second lasts.
 * @param compare creates what the servers need, for each start
 */
export async function compareServers<Key extends string>(
  { load, plan, startServer }: RunContext,
  compare: () => Promise<Compared<Key>>,
  wanted: readonly RatioOf<Key>[],
): Promise<Pick<Section, 'figures' | 'servers'>> {
  const starts: Rounds[][] = []
  let compared = await compare()
  const keys = Object.keys(compared) as Key[]
  for (let start = 0; start < plan.starts; start++) {
    if (start > 0) compared = await compare()
    const turns = []
    for (const key of keys) {
      const [name, options] = compared[key]
      turns.push({ server: await startServer(name, options, 'me') })
    }
    const share = { ...plan, rounds: plan.rounds / plan.starts }
    starts.push(await interleaved(load, turns, share))
    for (const { server } of turns) await server.stop()
  }
  const rounds = keys.map((_, at) => joined(starts.map((start) => start[at] as Rounds)))
  const of = (key: Key) => rounds[keys.indexOf(key)] as Rounds
  return {
    figures: wanted.map(([name, key, base, floor]) => ratioOf(name, of(key), of(base), floor)),
    servers: keys.map((key) => measuredOf(compared[key][0], of(key))),
  }
}

/** How the requests of {@link compareServers} were made, for the report. */
export const conditionsOf = ({ plan }: RunContext) =>
  `${plan.users} sessions or tokens of as many users, 50 connections, ${plan.rounds} interleaved rounds of ${plan.seconds} s, ${plan.starts} starts of each server`
