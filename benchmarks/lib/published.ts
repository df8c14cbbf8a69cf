import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tablesOf } from './report.js'
import { readResults, resultsFolder } from './results.js'

/** A section of the soak test's report, without its heading. */
function soakSection(heading: string): string {
  const report = readFileSync(join(resultsFolder, 'soak.md'), 'utf8')
  const [, section] = report.split(`\n## ${heading}\n`)
  if (section === undefined) throw new Error(`soak.md has no section "${heading}"`)
  return (section.split('\n## ')[0] as string).trim()
}

function textOf(name: string): string {
  if (name === 'soak') return soakSection('Phases')
  const result = readResults('full')[name]
  if (!result) throw new Error(`The full run has no results of "${name}"`)
  const { when, conditions } = result
  return [...tablesOf(result), '', `*${when.slice(0, 10)}; ${conditions}.*`].join('\n')
}

/** A page with current results between each `<!-- results: name -->` and `<!-- end -->`. */
export const withResults = (page: string): string =>
  page.replace(
    /(<!-- results: ([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => `${start}\n${textOf(name)}\n\n${end}`,
  )
