/**
 * `node --import tsx benchmarks/profile.ts ours-redis`: prints the CPU time of one server by
 * function and by module. Leaves the profile in `.tmp/` for a viewer.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startRedis } from '../scripts/services/redis.js'
import { buildPackage } from './lib/build.js'
import { startLoad } from './lib/load.js'
import { lookAtMachine } from './lib/machine.js'
import { connections } from './lib/run-context.js'
import { startBenchServer } from './lib/server-process.js'

interface Profile {
  readonly nodes: readonly {
    id: number
    callFrame: { functionName: string; url: string; lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const [file = 'ours-redis', kind = 'me', seconds = '6'] = process.argv.slice(2)
const machine = lookAtMachine()
const folder = mkdtempSync(join(tmpdir(), 'crudauth-profile-'))
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

const packageFolder = buildPackage()
const load = startLoad(machine, folder)
const redis = await startRedis(folder)
machine.pin('load', redis.pid)
try {
  const server = await startBenchServer(machine, file, {
    file,
    folder,
    redisUrl: redis.url,
    users: 200,
    active: 200,
  })
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
  copyFileSync(join(server.folder, 'server.cpuprofile'), kept)
  await server.stop()
} finally {
  await Promise.all([load.stop(), redis.stop()])
  rmSync(folder, { recursive: true, force: true })
  rmSync(packageFolder, { recursive: true, force: true })
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
