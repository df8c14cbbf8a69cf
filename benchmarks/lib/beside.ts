import { atLeast, type Figure } from './report.js'
import type { Plan } from './run-context.js'
import { ratios } from './statistics.js'

/** A call about one of the items 1 to `items`. `round` differs in each round. */
export type Call = (id: number, round: number) => Promise<unknown>

export const items = 100
export const callsOf = ({ quick }: Plan): number => (quick ? 500 : 3000)

/** Calls for each second of processor time that this process used, ten at a time. */
export async function perCpuSecond(call: Call, calls: number, round: number): Promise<number> {
  const began = process.cpuUsage()
  for (let done = 0; done < calls; done += 10)
    await Promise.all(Array.from({ length: 10 }, (_, at) => call(((done + at) % items) + 1, round)))
  const { user, system } = process.cpuUsage(began)
  return (calls / (user + system)) * 1_000_000
}

/**
 * Our calls beside a query without us, by processor time.
 * @param floor target of the ratio. 0: none, because the query does less than ours
 */
export async function compare(
  name: string,
  ours: Call,
  bare: Call,
  plan: Plan,
  floor: number,
): Promise<Figure> {
  const calls = callsOf(plan)
  const [oursPer, barePer]: [number[], number[]] = [[], []]
  for (const call of [ours, bare]) await perCpuSecond(call, calls, -1)
  for (let round = 0; round < plan.rounds; round++) {
    const turns = [
      async () => oursPer.push(await perCpuSecond(ours, calls, round)),
      async () => barePer.push(await perCpuSecond(bare, calls, round)),
    ]
    for (const turn of round % 2 ? turns.reverse() : turns) await turn()
  }
  const value = ratios(oursPer, barePer)
  return { name, unit: '×', value, ...(floor > 0 && { target: atLeast(value, floor) }) }
}
