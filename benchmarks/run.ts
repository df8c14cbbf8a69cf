/**
 * `npm run bench`: compares the plugin with its peers and with the maximum of the machine.
 * `--quick` takes less than two minutes. `--only logins,flood` runs a part, and `--rounds 20` changes
 * the number of rounds. `--name x` names the files in `benchmarks/results/`, where each scenario
 * replaces its own results only.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Result, toMarkdown } from './lib/report.js'
import { saveResult } from './lib/results.js'
import { openRun, type Plan, type Scenario } from './lib/run-context.js'
import { clientBundle } from './scenarios/client-bundle.js'
import { flood } from './scenarios/flood.js'
import { heap } from './scenarios/heap.js'
import { logins } from './scenarios/logins.js'
import { postgres } from './scenarios/postgres.js'
import { redisMemory } from './scenarios/redis-memory.js'
import { size } from './scenarios/size.js'
import { sqlite } from './scenarios/sqlite.js'
import { startUp } from './scenarios/start-up.js'
import { stateStores } from './scenarios/state-stores.js'
import { userStores } from './scenarios/user-stores.js'

const scenarios: Record<string, Scenario> = {
  postgres,
  sqlite,
  'user-stores': userStores,
  'state-stores': stateStores,
  size,
  flood,
  logins,
  'start-up': startUp,
  heap,
  'redis-memory': redisMemory,
  'client-bundle': clientBundle,
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    name: { type: 'string' },
  },
})
const defaults: Plan = values.quick
  ? { quick: true, rounds: 3, starts: 1, seconds: 0.6, warmUpSeconds: 0.6, users: 200 }
  : { quick: false, rounds: 15, starts: 3, seconds: 2, warmUpSeconds: 5, users: 1000 }
const { starts } = defaults
// As many in each start.
const rounds = Math.ceil(Number(values.rounds ?? defaults.rounds) / starts) * starts
if (!(rounds > 0)) throw new Error(`--rounds is a positive number, not "${values.rounds}"`)
const plan: Plan = { ...defaults, rounds }
// A quick run can't create enough users for a meaningful result of "size".
const chosen =
  values.only?.split(',') ??
  Object.keys(scenarios).filter((name) => !(values.quick && name === 'size'))
const unknown = chosen.filter((name) => !(name in scenarios))
if (unknown.length > 0)
  throw new Error(`--only knows ${Object.keys(scenarios).join(', ')}, not ${unknown.join(', ')}`)

const benchmarks = fileURLToPath(new URL('.', import.meta.url))
if (!existsSync(`${benchmarks}/node_modules/better-auth`)) {
  console.log('Installing the peers (benchmarks/package-lock.json) …')
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit'], {
    cwd: benchmarks,
    stdio: 'inherit',
  })
}

const run = openRun(plan)
const { machine, load } = run
const conditions = [
  machine.description,
  machine.pins
    ? 'server on one core, load, Redis and PostgreSQL on another'
    : 'processes not pinned to cores',
  `load by ${load.program}`,
  plan.quick ? 'quick run' : 'full run',
].join('; ')
const name = values.name ?? (values.quick ? 'quick' : 'full')
const seconds = (sinceMs: number) => Math.round((Date.now() - sinceMs) / 1000)
const startedAtMs = Date.now()
try {
  for (const key of chosen) {
    const beganAtMs = Date.now()
    const section = await run.run(scenarios[key] as Scenario)
    const result: Result = { ...section, when: new Date().toISOString(), conditions }
    saveResult(name, Object.keys(scenarios), key, result)
    console.log(`${key}: ${seconds(beganAtMs)} s\n\n${toMarkdown(key, [result])}`)
  }
} finally {
  await run.stop()
}
console.log(`benchmarks/results/${name}.md and .json, after ${seconds(startedAtMs)} s`)
