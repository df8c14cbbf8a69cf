import { Pool } from 'undici'
import type { Job, LoadResult } from './load.js'
import type { Case } from './settings.js'

/** The current bodies of all cases, by their first body. They outlive a job. */
const bodies = new Map<string, string>()

/**
 * Sends requests that each need a value of the response before, such as refresh tokens.
 * No request is cut off at the end, since its response would be lost with the value.
 */
export async function follow(
  { url, connections, seconds, cases }: Job,
  member: string,
): Promise<LoadResult> {
  const pool = new Pool(url, { connections })
  const statuses: Record<string, number> = {}
  const times: number[] = []
  const began = performance.now()
  const client = async (first: number) => {
    for (let at = first; performance.now() - began < seconds * 1000; at += connections) {
      const { method, path, headers, body: initial = '' } = cases[at % cases.length] as Case
      const sentAt = performance.now()
      const body = bodies.get(initial) ?? initial
      const response = await pool.request({ method, path, headers, body })
      const answer = (await response.body.json()) as Record<string, unknown>
      times.push(performance.now() - sentAt)
      statuses[response.statusCode] = (statuses[response.statusCode] ?? 0) + 1
      bodies.set(initial, JSON.stringify({ [member]: answer[member] }))
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, at) => client(at)))
  const lastedMs = performance.now() - began
  await pool.close()
  times.sort((a, b) => a - b)
  const percentile = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return {
    requests: times.length,
    seconds: lastedMs / 1000,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    statuses,
    errors: 0,
  }
}
