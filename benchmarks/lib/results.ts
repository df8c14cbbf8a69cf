import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Result, toMarkdown } from './report.js'

/** The results of a run, by scenario. */
export type Results = Readonly<Record<string, Result>>

export const resultsFolder = fileURLToPath(new URL('../results', import.meta.url))

export function readResults(name: string): Results {
  try {
    return JSON.parse(readFileSync(join(resultsFolder, `${name}.json`), 'utf8')) as Results
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/**
 * Replaces the results of one scenario and keeps the others, so that a long run can be made in
 * parts. `order` is the order of all scenarios.
 */
export function saveResult(
  name: string,
  order: readonly string[],
  scenario: string,
  result: Result,
): void {
  const all: Results = { ...readResults(name), [scenario]: result }
  const sorted = order.flatMap((key) => (all[key] ? [[key, all[key]] as const] : []))
  mkdirSync(resultsFolder, { recursive: true })
  const json = JSON.stringify(Object.fromEntries(sorted), null, 2)
  writeFileSync(join(resultsFolder, `${name}.json`), `${json}\n`)
  const markdown = toMarkdown(
    name,
    sorted.map(([, each]) => each),
  )
  writeFileSync(join(resultsFolder, `${name}.md`), markdown)
}
