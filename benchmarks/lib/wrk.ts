import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Job, LoadResult } from './load.js'
import type { Machine } from './machine.js'
import type { Case } from './settings.js'

export function hasWrk(): boolean {
  try {
    execFileSync('wrk', ['--version'], { stdio: 'ignore' })
    return true
  } catch (error) {
    // wrk exits with 1 after printing its version.
    return (error as { status?: unknown }).status === 1
  }
}

/** Quotes for Lua. For the characters in our requests, JSON's escapes are the same. */
const quoted = (text: string) => JSON.stringify(text)

function formatted({ method, path, headers, body }: Case): string {
  const pairs = Object.entries(headers).map(([name, value]) => `[${quoted(name)}]=${quoted(value)}`)
  return `{${quoted(method)},${quoted(path)},{${pairs.join(',')}},${body === undefined ? 'nil' : quoted(body)}}`
}

/** Builds the requests before the measurement. Counts statuses other than 200. Times are in µs. */
const scriptOf = (cases: readonly Case[]) => `
local cases = {${cases.map(formatted).join(',\n')}}
local ready, at, threads = {}, 0, {}
function setup(thread) table.insert(threads, thread) end
function init()
  others = 0
  for i, c in ipairs(cases) do ready[i] = wrk.format(c[1], c[2], c[3], c[4]) end
end
function request()
  at = at % #ready + 1
  return ready[at]
end
function response(status) if status ~= 200 then others = others + 1 end end
function done(summary, latency)
  local e, others = summary.errors, 0
  for _, thread in ipairs(threads) do others = others + thread:get('others') end
  io.write(string.format('RESULT {"requests":%d,"us":%d,"p50":%d,"p99":%d,"others":%d,"errors":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), others,
    e.connect + e.read + e.write + e.timeout))
end
`

export async function runWrk(
  machine: Machine,
  job: Job,
  script: string,
  write: (text: string) => void,
): Promise<LoadResult> {
  write(scriptOf(job.cases))
  const args = [
    '-t1',
    `-c${job.connections}`,
    `-d${Math.ceil(job.seconds)}s`,
    '--timeout',
    '10s',
    '-s',
    script,
    job.url,
  ]
  const [program = '', ...rest] = machine.pinned('load', ['wrk', ...args])
  const { stdout } = await promisify(execFile)(program, rest)
  const found = /^RESULT (.*)$/m.exec(stdout)
  if (!found) throw new Error(`wrk told nothing: ${stdout.slice(0, 500)}`)
  const { requests, us, p50, p99, others, errors } = JSON.parse(found[1] as string) as Record<
    string,
    number
  > &
    Record<'requests' | 'us' | 'p50' | 'p99' | 'others' | 'errors', number>
  return {
    requests,
    seconds: us / 1e6,
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    statuses: { 200: requests - others, ...(others > 0 && { other: others }) },
    errors,
  }
}
