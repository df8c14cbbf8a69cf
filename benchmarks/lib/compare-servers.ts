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

/** Starts the servers, and measures `GET /me` in interleaved rounds. */
export async function compareServers<Key extends string>(
  { load, plan, startServer }: RunContext,
  compared: Compared<Key>,
  wanted: readonly RatioOf<Key>[],
): Promise<Pick<Section, 'figures' | 'servers'>> {
  const keys = Object.keys(compared) as Key[]
  const turns = []
  for (const key of keys) {
    const [name, options] = compared[key]
    turns.push({ server: await startServer(name, options, 'me') })
  }
  const rounds = await interleaved(load, turns, plan)
  const of = (key: Key) => rounds[keys.indexOf(key)] as Rounds
  return {
    figures: wanted.map(([name, key, base, floor]) => ratioOf(name, of(key), of(base), floor)),
    servers: keys.map((key) => measuredOf(compared[key][0], of(key))),
  }
}

/** How the requests of {@link compareServers} were made, for the report. */
export const conditionsOf = ({ plan }: RunContext) =>
  `${plan.users} sessions or tokens of as many users, 50 connections, ${plan.rounds} interleaved rounds of ${plan.seconds} s`
