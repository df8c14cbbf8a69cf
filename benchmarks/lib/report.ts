import { type Rounds, type Spread, spread } from './statistics.js'

/** One measured value, with its target. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly value: Spread
  /** The same ratio by wall-clock throughput. */
  readonly wallClock?: Spread
  readonly target?: { readonly text: string; readonly met: boolean }
}

/** The throughput of one server. */
export interface Measured {
  readonly name: string
  readonly perCpuSecond: Spread
  readonly perSecond: Spread
  readonly p99Ms: Spread
  /** Processor time by wall-clock time. Far below 1, something else was the limit. */
  readonly cpuShare: Spread
}

/** The results of a scenario. */
export interface Section {
  readonly title: string
  readonly about: string
  readonly figures: readonly Figure[]
  readonly servers?: readonly Measured[]
}

/** A section with the conditions of its run, because scenarios may run at different times. */
export interface Result extends Section {
  readonly when: string
  readonly conditions: string
}

export const atLeast = (value: Spread, floor: number) => ({
  text: `≥ ${floor}`,
  met: value.median >= floor,
})
export const atMost = (value: Spread, ceiling: number) => ({
  text: `≤ ${ceiling}`,
  met: value.median <= ceiling,
})

export const once = (value: number): Spread => ({ median: value, min: value, max: value })

export const measuredOf = (name: string, rounds: Rounds): Measured => ({
  name,
  perCpuSecond: spread(rounds.perCpuSecond),
  perSecond: spread(rounds.perSecond),
  p99Ms: spread(rounds.p99Ms),
  cpuShare: spread(rounds.cpuShare),
})

function shown(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

const range = ({ min, max, median }: Spread) =>
  min === max && max === median ? '' : `${shown(min)} – ${shown(max)}`

function figureTable(figures: readonly Figure[]): string[] {
  const withWallClock = figures.some(({ wallClock }) => wallClock)
  const row = (cells: readonly (string | false)[]) =>
    `| ${cells.filter((cell) => cell !== false).join(' | ')} |`
  return [
    row(['what', 'median', 'min – max', withWallClock && 'wall clock', 'unit', 'target', 'met']),
    row(['---', '---:', '---:', withWallClock && '---:', '---', '---', '---']),
    ...figures.map(({ name, unit, value, wallClock, target }) =>
      row([
        name,
        shown(value.median),
        range(value),
        withWallClock && (wallClock ? shown(wallClock.median) : ''),
        unit,
        target?.text ?? '',
        target === undefined ? '' : target.met ? 'yes' : '**no**',
      ]),
    ),
  ]
}

const serverTable = (servers: readonly Measured[]): string[] => [
  '| server | requests per second of processor time | min – max | requests/s, wall clock | p99 in ms | share of its core |',
  '| --- | ---: | ---: | ---: | ---: | ---: |',
  ...servers.map(
    ({ name, perCpuSecond, perSecond, p99Ms, cpuShare }) =>
      `| ${name} | ${shown(perCpuSecond.median)} | ${range(perCpuSecond)} | ${shown(perSecond.median)} | ${shown(p99Ms.median)} | ${shown(cpuShare.median)} |`,
  ),
]

/** The tables of a section, without its title. */
export const tablesOf = ({ figures, servers }: Section): string[] =>
  servers === undefined
    ? figureTable(figures)
    : [...figureTable(figures), '', ...serverTable(servers)]

export function toMarkdown(title: string, results: readonly Result[]): string {
  const lines = [`# Benchmark: ${title}`, '']
  for (const result of results) {
    lines.push(`## ${result.title}`, '', result.about, '', ...tablesOf(result), '')
    lines.push(`${result.when.slice(0, 10)}; ${result.conditions}`, '')
  }
  return lines.join('\n')
}
