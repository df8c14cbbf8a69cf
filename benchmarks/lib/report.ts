import type { Spread } from './statistics.js'

/** One measured value, with its target. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly value: Spread
  readonly target?: { readonly text: string; readonly met: boolean }
  readonly note?: string
}

/** The results of a scenario. */
export interface Section {
  readonly title: string
  readonly about: string
  readonly figures: readonly Figure[]
}

export interface Report {
  readonly name: string
  readonly when: string
  readonly machine: string
  readonly conditions: string
  readonly sections: readonly Section[]
}

export const atLeast = (value: Spread, floor: number, text = `≥ ${floor}`) => ({
  text,
  met: value.median >= floor,
})
export const atMost = (value: Spread, ceiling: number, text = `≤ ${ceiling}`) => ({
  text,
  met: value.median <= ceiling,
})

export const once = (value: number): Spread => ({ median: value, min: value, max: value })

function shown(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

const range = ({ min, max, median }: Spread) =>
  min === max && max === median ? '' : `${shown(min)} – ${shown(max)}`

export function toMarkdown({ name, when, machine, conditions, sections }: Report): string {
  const lines = [`# Benchmark: ${name}`, '', `${when.slice(0, 10)}; ${machine}; ${conditions}`, '']
  for (const { title, about, figures } of sections) {
    lines.push(
      `## ${title}`,
      '',
      about,
      '',
      '| what | median | min – max | unit | target | met |',
      '| --- | ---: | ---: | --- | --- | --- |',
    )
    for (const { name: what, unit, value, target, note } of figures) {
      const met = target === undefined ? '' : target.met ? 'yes' : '**no**'
      const label = note === undefined ? what : `${what} (${note})`
      lines.push(
        `| ${label} | ${shown(value.median)} | ${range(value)} | ${unit} | ${target?.text ?? ''} | ${met} |`,
      )
    }
    lines.push('')
  }
  return lines.join('\n')
}
