/** The median of several rounds, and their range. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The results of one server, by round. */
export interface Rounds {
  readonly perSecond: readonly number[]
  /** Requests per second of the server's CPU time. Stable even if the machine is busy. */
  readonly perCpuSecond: readonly number[]
  readonly p99Ms: readonly number[]
  /** CPU usage of the server. If it is far below 1, something else was the limit. */
  readonly cpuShare: readonly number[]
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const high = sorted[middle] ?? Number.NaN
  const median = sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/** Ratios of values of the same round, because a disturbance of a round affects both. */
export const ratios = (values: readonly number[], base: readonly number[]): Spread =>
  spread(values.map((value, round) => value / (base[round] ?? Number.NaN)))
