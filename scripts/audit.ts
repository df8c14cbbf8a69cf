/**
 * Runs `npm audit` for the production dependencies and fails on findings of moderate or higher
 * severity. If the registry doesn't support audits, it prints a notice and succeeds.
 */
import { spawnSync } from 'node:child_process'
import { root } from './source-graph.js'

interface Answer {
  metadata?: { vulnerabilities?: Record<string, number> }
  vulnerabilities?: Record<
    string,
    { severity: string; range: string; via: (string | { title: string; url: string })[] }
  >
  message?: string
}

const { stdout, stderr } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  cwd: root,
  encoding: 'utf8',
})
let answer: Answer = {}
try {
  answer = JSON.parse(stdout) as Answer
} catch {}

const counts = answer.metadata?.vulnerabilities
if (!counts) {
  const reason = answer.message ?? stderr.trim().split('\n')[0] ?? ''
  console.log(
    `NOT CHECKED: the registry does not answer npm audit, so known vulnerabilities were not looked up (${reason})`,
  )
} else {
  const serious = (severity: string): boolean => ['moderate', 'high', 'critical'].includes(severity)
  const findings = Object.entries(answer.vulnerabilities ?? {}).filter(([, { severity }]) =>
    serious(severity),
  )
  for (const [name, { severity, range, via }] of findings) {
    const titles = via.map((cause) =>
      typeof cause === 'string' ? `by ${cause}` : `${cause.title} ${cause.url}`,
    )
    console.error(`${severity}: ${name} ${range}: ${titles.join('; ')}`)
  }
  if (findings.length > 0) process.exitCode = 1
  else console.log(`npm audit --omit=dev: nothing of moderate or worse (low: ${counts.low ?? 0})`)
}
