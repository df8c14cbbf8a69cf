import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { type PostgresServer, startPostgres } from '../../scripts/services/postgres.js'
import { type RedisServer, startRedis } from '../../scripts/services/redis.js'
import { buildPackage } from './build.js'
import { checkAnswers } from './check.js'
import { type Load, startLoad } from './load.js'
import { lookAtMachine, type Machine } from './machine.js'
import type { Section } from './report.js'
import { type BenchServer, type ServerOptions, startBenchServer } from './server-process.js'

/** Duration and size of a full or quick run. */
export interface Plan {
  readonly quick: boolean
  readonly rounds: number
  /** How often each server is started; the rounds are divided among the starts. */
  readonly starts: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly users: number
}

export interface RunContext {
  readonly machine: Machine
  readonly plan: Plan
  /** A temporary folder for the run. */
  readonly folder: string
  /** The folder of the package built for this run. */
  readonly packageFolder: string
  readonly load: Load
  /** Starts a private Redis on the core of the load generator. */
  startRedis(): Promise<RedisServer>
  /** Creates an empty database in a private PostgreSQL on that core, and returns its URL. */
  createDatabase(): Promise<string>
  /** Starts a server, and checks its answers of the given kinds of request. */
  startServer(name: string, options: ServerOptions, ...kinds: string[]): Promise<BenchServer>
  /** Calls `stop` when the scenario ends, even if it fails. */
  defer(stop: () => Promise<unknown>): void
}

export type Scenario = (context: RunContext) => Promise<Section>

export const connections = 50

async function createDatabase({ url }: PostgresServer, name: string): Promise<string> {
  const client = new Client(url)
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

/** What all scenarios of a run share. Stop it when they have ended. */
export function openRun(plan: Plan) {
  const machine = lookAtMachine()
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-bench-'))
  const packageFolder = buildPackage()
  const load = startLoad(machine, folder)
  let postgres: Promise<PostgresServer> | undefined
  let databases = 0

  async function startPinnedPostgres(): Promise<PostgresServer> {
    const server = await startPostgres(folder)
    machine.pin('load', server.pid)
    return server
  }

  async function run<T>(task: (context: RunContext) => Promise<T>): Promise<T> {
    const stops: (() => Promise<unknown>)[] = []
    const defer = (stop: () => Promise<unknown>) => void stops.push(stop)
    const context: RunContext = {
      machine,
      plan,
      folder,
      packageFolder,
      load,
      defer,
      async startRedis() {
        const redis = await startRedis(folder)
        defer(() => redis.stop())
        machine.pin('load', redis.pid)
        return redis
      },
      async createDatabase() {
        postgres ??= startPinnedPostgres()
        return createDatabase(await postgres, `bench_${++databases}`)
      },
      async startServer(name, options, ...kinds) {
        const server = await startBenchServer(machine, name, folder, plan, options)
        defer(() => server.stop())
        for (const kind of kinds) await checkAnswers(server, kind)
        return server
      },
    }
    try {
      return await task(context)
    } finally {
      for (const stop of stops.reverse()) await stop()
    }
  }

  return {
    machine,
    load,
    /** Runs a task and ends what it started. */
    run,
    async stop() {
      await load.stop()
      await (await postgres)?.stop()
      rmSync(folder, { recursive: true, force: true })
      rmSync(packageFolder, { recursive: true, force: true })
    },
  }
}
