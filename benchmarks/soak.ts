/**
 * `npm run soak`: mixed traffic on PostgreSQL and a Redis Cluster for ten minutes, with a failover
 * and a restart in it. `--minutes 1` for a try. Exit code 1 if anything that was acknowledged is
 * lost, or another invariant breaks.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { startPostgres } from '../scripts/services/postgres.js'
import { startRedisCluster } from '../scripts/services/redis-cluster.js'
import { buildPackage } from './lib/build.js'
import { lookAtMachine } from './lib/machine.js'
import { resultsFolder } from './lib/results.js'
import { Account } from './soak/account.js'
import { Visitor } from './soak/http.js'
import { Ledger } from './soak/ledger.js'
import { Mailbox } from './soak/mailbox.js'
import { soakReport } from './soak/report.js'
import type { FromServer, SoakSettings } from './soak/server.js'
import { audit, visit } from './soak/traffic.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    visitors: { type: 'string', default: '40' },
  },
})
const seconds = Number(values.minutes) * 60
/** How long a fault may be felt. */
const faultSeconds = 20
const downMs = 2000

const folder = mkdtempSync(join(tmpdir(), 'crudauth-soak-'))
const packageFolder = buildPackage()
const postgres = await startPostgres(folder)
const cluster = await startRedisCluster(folder, { replicas: true })
const ledger = new Ledger()
const mailbox = new Mailbox()
const log = new Map<string, number>()

const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
const settings: SoakSettings = { postgresUrl: postgres.url, nodes }
const server = spawn(
  process.execPath,
  ['--import', 'tsx', fileURLToPath(new URL('./soak/server.ts', import.meta.url))],
  {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', SOAK_SETTINGS: JSON.stringify(settings) },
  },
)
let isStopping = false
server.on('exit', (code, signal) => {
  if (!isStopping) ledger.breach('the app never ends', `it ended with ${code ?? signal}`)
})
createInterface({ input: server.stdout as NonNullable<typeof server.stdout> }).on(
  'line',
  (line) => {
    const message = line.startsWith('{') ? (JSON.parse(line) as { msg: string }).msg : line
    log.set(message, (log.get(message) ?? 0) + 1)
  },
)

/** Runs the traffic and the faults, and returns all accounts. */
async function run(pool: Pool): Promise<number> {
  const accounts: Account[] = []
  const visitor = new Visitor(pool, ledger)
  const newAccount = () => {
    const account = new Account(visitor, mailbox, ledger)
    accounts.push(account)
    return account
  }
  ledger.begin({ name: 'before', outage: 'none' })
  const isOver = () => ledger.seconds > seconds
  const visits = Array.from({ length: Number(values.visitors) }, () => visit(newAccount, isOver))

  await ledger.until(seconds * 0.2)
  ledger.begin({ name: 'a Redis master is killed', outage: 'redis' })
  await cluster.nodes[0]?.kill()
  await ledger.until(seconds * 0.2 + faultSeconds)
  ledger.begin({ name: 'between', outage: 'none' })

  await ledger.until(seconds * 0.6)
  ledger.begin({ name: 'PostgreSQL is restarted', outage: 'all' })
  await postgres.restart(downMs)
  await ledger.until(seconds * 0.6 + faultSeconds)
  ledger.begin({ name: 'after', outage: 'none' })

  await Promise.all(visits)
  ledger.begin({ name: 'audit of all accounts', outage: 'none' })
  await audit(accounts)
  return accounts.length
}

try {
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]
  server.on('message', (message: FromServer) => 'kind' in message && mailbox.put(message))
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 50 })
  const accounts = await run(pool)
  await pool.close()
  const conditions = [
    new Date().toISOString().slice(0, 10),
    lookAtMachine().description,
    `${values.minutes} minutes, ${values.visitors} visitors at a time, ${accounts} accounts`,
    'Redis Cluster of three masters with a replica each, one master killed and not replaced',
    `PostgreSQL shut down, and started again after ${downMs / 1000} s`,
  ]
  const report = soakReport(ledger, `${conditions.join('; ')}.`, log)
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(join(resultsFolder, 'soak.md'), report)
  console.log(report)
  process.exitCode = ledger.broken.length === 0 ? 0 : 1
} finally {
  isStopping = true
  if (server.connected) server.disconnect()
  await Promise.all([postgres.stop(), cluster.stop()])
  rmSync(folder, { recursive: true, force: true })
  rmSync(packageFolder, { recursive: true, force: true })
}
