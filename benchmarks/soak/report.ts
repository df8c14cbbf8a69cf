import type { Ledger, Phase } from './ledger.js'

const rows = (...lines: (string | number)[][]) => lines.map((cells) => `| ${cells.join(' | ')} |`)

function percentiles(values: readonly number[]): string[] {
  const sorted = [...values].sort((a, b) => a - b)
  return [0.5, 0.95, 0.99, 1].map((share) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
    return value === undefined ? '–' : value.toFixed(1)
  })
}

function phaseRow(ledger: Ledger, { name }: Phase): (string | number)[] {
  const latencies = ledger.latencies.get(name) ?? []
  const outage = ledger.outages.get(name)
  const unavailable = outage ? `${(outage.last - outage.first).toFixed(1)} s` : ''
  return [name, latencies.length, unavailable, ...percentiles(latencies)]
}

function answerTable(ledger: Ledger): string[] {
  const routes = [...ledger.answers].sort(([a], [b]) => a.localeCompare(b))
  const statuses = [...new Set(routes.flatMap(([, counts]) => [...counts.keys()]))].sort()
  return rows(
    ['route', ...statuses],
    ['---', ...statuses.map(() => '---:')],
    ...routes.map(([route, counts]) => [
      route,
      ...statuses.map((status) => counts.get(status) ?? ''),
    ]),
  )
}

/** The report of a run, as Markdown. */
export function soakReport(ledger: Ledger, conditions: string, log: ReadonlyMap<string, number>) {
  const { broken } = ledger
  const verdict =
    broken.length === 0
      ? '**Nothing was lost, and no invariant broke.**'
      : `**${broken.length} times an invariant broke.**`
  return [
    '# Soak test',
    '',
    conditions,
    '',
    verdict,
    '',
    ...broken
      .slice(0, 50)
      .map((each) => `- ${each.atSeconds.toFixed(1)} s: ${each.invariant}. ${each.proof}`),
    ...(broken.length > 0 ? [''] : []),
    '## Phases',
    '',
    'Milliseconds of all answers but 503, and the time from the first 503 to the last.',
    '',
    ...rows(
      ['phase', 'answers', '503 for', 'p50', 'p95', 'p99', 'max'],
      ['---', '---:', '---:', '---:', '---:', '---:', '---:'],
      ...ledger.phases.map((phase) => phaseRow(ledger, phase)),
    ),
    '',
    '## What was acknowledged',
    '',
    ...rows(
      ['what', 'times'],
      ['---', '---:'],
      ...[...ledger.counts].map(([what, count]) => [what, count]),
    ),
    '',
    '## Answers by route and status',
    '',
    ...answerTable(ledger),
    '',
    '## What the app logged',
    '',
    ...rows(['message', 'times'], ['---', '---:'], ...log),
    '',
  ].join('\n')
}
