/**
 * `npm run bench`: compares the plugin with its peers and with the maximum of the machine.
 * `--quick` takes less than two minutes. `--only requests,logins` runs a part. `--name x` names the
 * files in `benchmarks/results/`.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type RedisServer, startRedis } from '../scripts/services/redis.js'
import { buildPackage } from './lib/build.js'
import { startLoad } from './lib/load.js'
import { lookAtMachine } from './lib/machine.js'
import { type Report, type Section, toMarkdown } from './lib/report.js'
import type { Plan, RunContext, Scenario } from './lib/run-context.js'
import { heap } from './scenarios/heap.js'
import { logins } from './scenarios/logins.js'
import { redisMemory } from './scenarios/redis-memory.js'
import { requests } from './scenarios/requests.js'
import { size } from './scenarios/size.js'
import { startUp } from './scenarios/start-up.js'
import { stateStores } from './scenarios/state-stores.js'
import { userStores } from './scenarios/user-stores.js'

const scenarios: Record<string, Scenario> = {
  requests,
  logins,
  'start-up': startUp,
  'redis-memory': redisMemory,
  'user-stores': userStores,
  'state-stores': stateStores,
  heap,
  size,
}

const root = fileURLToPath(new URL('..', import.meta.url))
const results = join(root, 'benchmarks', 'results')

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    name: { type: 'string' },
  },
})
const plan: Plan = values.quick
  ? { quick: true, rounds: 3, seconds: 1, warmUpSeconds: 1, users: 500 }
  : { quick: false, rounds: 7, seconds: 5, warmUpSeconds: 5, users: 1000 }
// A quick run can't create enough users for a meaningful result of "size".
const chosen =
  values.only?.split(',') ??
  Object.keys(scenarios).filter((name) => !(values.quick && name === 'size'))
const unknown = chosen.filter((name) => !(name in scenarios))
if (unknown.length > 0)
  throw new Error(`--only knows ${Object.keys(scenarios).join(', ')}, not ${unknown.join(', ')}`)

if (!existsSync(join(root, 'benchmarks', 'node_modules', 'better-auth'))) {
  console.log('Installing the peers (benchmarks/package-lock.json) …')
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit'], {
    cwd: join(root, 'benchmarks'),
    stdio: 'inherit',
  })
}

const machine = lookAtMachine()
const folder = mkdtempSync(join(tmpdir(), 'crudauth-bench-'))
const packageFolder = buildPackage()
const load = startLoad(machine, folder)

async function run(name: string): Promise<Section> {
  const scenario = scenarios[name] as Scenario
  const stops: (() => Promise<unknown>)[] = []
  const context: RunContext = {
    machine,
    plan,
    folder,
    packageFolder,
    load,
    async startRedis(): Promise<RedisServer> {
      const redis = await startRedis(folder)
      stops.push(() => redis.stop())
      machine.pin('load', redis.pid)
      return redis
    },
    defer: (stop) => void stops.push(stop),
  }
  try {
    return await scenario(context)
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

const sections: Section[] = []
const startedAtMs = Date.now()
try {
  for (const name of chosen) {
    const beganAtMs = Date.now()
    const section = await run(name)
    console.log(`${name}: ${Math.round((Date.now() - beganAtMs) / 1000)} s\n`)
    sections.push(section)
    console.log(
      toMarkdown({
        name,
        when: '',
        machine: machine.description,
        conditions: '',
        sections: [section],
      }),
    )
  }
} finally {
  await load.stop()
  rmSync(folder, { recursive: true, force: true })
  rmSync(packageFolder, { recursive: true, force: true })
}

const pinned = machine.pins ? 'server on one core, load and Redis on another' : 'nothing pinned'
const name = values.name ?? (values.quick ? 'quick' : 'full')
const report: Report = {
  name,
  when: new Date().toISOString(),
  machine: machine.description,
  conditions: `${pinned}; load by ${load.program}; ${plan.quick ? 'quick run' : 'full run'}`,
  sections,
}
mkdirSync(results, { recursive: true })
writeFileSync(join(results, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`)
writeFileSync(join(results, `${name}.md`), toMarkdown(report))
console.log(
  `benchmarks/results/${name}.md and .json, after ${Math.round((Date.now() - startedAtMs) / 1000)} s`,
)
