import { isDeepStrictEqual } from 'node:util'
import type { LoadResult } from './load.js'
import type { BenchServer } from './server-process.js'
import type { Case } from './settings.js'

/**
 * Sends the first case, the last one and some between.
 * @throws Error unless all responses are 200 with the expected members
 */
export async function checkAnswers(server: BenchServer, kind: string): Promise<void> {
  const cases = server.cases[kind] ?? []
  const step = Math.max(1, Math.floor(cases.length / 10))
  const some = [...cases.filter((_, at) => at % step === 0), ...cases.slice(-1)]
  if (some.length === 0) throw new Error(`"${server.name}" has no cases of "${kind}"`)
  for (const item of some) await checkAnswer(server, item)
}

async function checkAnswer(
  { name, url }: BenchServer,
  { method, path, headers, body, expect }: Case,
): Promise<void> {
  const response = await fetch(url + path, { method, headers, ...(body !== undefined && { body }) })
  const text = await response.text()
  if (response.status !== 200)
    throw new Error(
      `"${name}" answers ${method} ${path} with ${response.status}: ${text.slice(0, 300)}`,
    )
  const answer = JSON.parse(text) as Record<string, unknown>
  for (const [member, value] of Object.entries(expect)) {
    if (isDeepStrictEqual(answer[member], value)) continue
    throw new Error(
      `"${name}" answers ${method} ${path} with a wrong "${member}": ${text.slice(0, 300)}`,
    )
  }
}

/** @throws Error if a measurement has errors or unexpected statuses */
export function checkResult(
  name: string,
  { requests, statuses, errors }: LoadResult,
  allowed: readonly string[] = ['200'],
): void {
  const wrong = Object.keys(statuses).filter((status) => !allowed.includes(status))
  if (errors === 0 && wrong.length === 0 && requests > 0) return
  throw new Error(
    `"${name}": ${requests} requests, ${errors} errors, answers by status ${JSON.stringify(statuses)}`,
  )
}
