/**
 * `node --import tsx benchmarks/profile.ts ours-session`: prints the CPU time of one server by
 * function and by module, with PostgreSQL or, with `--sqlite`, SQLite. Leaves the profile in `.tmp/`
 * for a viewer.
 */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connections, openRun, type RunContext } from './lib/run-context.js'

interface Profile {
  readonly nodes: readonly {
    id: number
    callFrame: { functionName: string; url: string; lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sqlite: { type: 'boolean', default: false } },
})
const [file = 'ours-session', kind = 'me', seconds = '6'] = positionals
const kept = join(root, '.tmp', `${file}.cpuprofile`)

/** The module of a script URL: a package, a part of Node, or one of our files. */
function moduleOf(url: string): string {
  if (url === '') return '(engine)'
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(url)?.[1]
  return found ?? url.replace(`file://${root}`, '').replace(/^\.tmp\/bench-\d+\//, '')
}

function print(title: string, times: Map<string, number>, total: number): void {
  console.log(`\n${title}`)
  for (const [name, time] of [...times].sort((a, b) => b[1] - a[1]).slice(0, 40)) {
    console.log(`${((time / total) * 100).toFixed(1).padStart(6)} %  ${name}`)
  }
}

const plan = {
  quick: true,
  rounds: 1,
  starts: 1,
  seconds: Number(seconds),
  warmUpSeconds: 3,
  users: 200,
}
const run = openRun(plan)

async function profile(context: RunContext): Promise<void> {
  const { url: redisUrl } = await context.startRedis()
  const database = values.sqlite ? {} : { postgresUrl: await context.createDatabase() }
  const server = await context.startServer(
    file,
    { file, redisUrl, ...database, signIns: 200 },
    kind,
  )
  const { load } = context
  const job = { url: server.url, connections, cases: server.cases[kind] ?? [] }
  await load.run({ ...job, seconds: 3 })
  const before = await server.cpuSeconds()
  const { requests } = await load.run({ ...job, seconds: Number(seconds) })
  const cpu = (await server.cpuSeconds()) - before
  console.log(
    `${file}: ${((cpu / requests) * 1e6).toFixed(1)} µs of processor time a request, ${requests} requests`,
  )
  await server.toggleProfile()
  await load.run({ ...job, seconds: Number(seconds) })
  await server.toggleProfile()
  mkdirSync(join(root, '.tmp'), { recursive: true })
  copyFileSync(join(server.folder, 'server.cpuprofile'), kept)
}

try {
  await run.run(profile)
} finally {
  await run.stop()
}

const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(kept, 'utf8')) as Profile
const byId = new Map(nodes.map((node) => [node.id, node.callFrame]))
const functions = new Map<string, number>()
const modules = new Map<string, number>()
let total = 0
for (const [at, id] of samples.entries()) {
  const frame = byId.get(id)
  const time = timeDeltas[at] ?? 0
  if (!frame || frame.functionName === '(idle)') continue
  total += time
  const where = moduleOf(frame.url)
  const name = `${frame.functionName || '(anonymous)'}  ${where}:${frame.lineNumber + 1}`
  functions.set(name, (functions.get(name) ?? 0) + time)
  modules.set(where, (modules.get(where) ?? 0) + time)
}
print('By module', modules, total)
print('By function', functions, total)
