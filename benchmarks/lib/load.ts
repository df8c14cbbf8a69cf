import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Machine } from './machine.js'
import type { Case } from './settings.js'
import { hasWrk, runWrk } from './wrk.js'

export interface Job {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** Number of requests. If set, `seconds` is ignored. */
  readonly amount?: number
  readonly cases: readonly Case[]
  /** Member of each response that the next request of the same case sends instead of its body. */
  readonly follow?: string
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Number of responses by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Number of broken connections and timeouts. */
  readonly errors: number
}

/** A load generator, on its own core if possible. */
export interface Load {
  readonly program: 'wrk' | 'autocannon'
  run(job: Job): Promise<LoadResult>
  stop(): Promise<void>
}

const file = fileURLToPath(new URL('./load-process.ts', import.meta.url))

/** Starts autocannon. It keeps running between jobs, to stay warm. Jobs must not overlap. */
export function startAutocannon(machine: Machine): Load {
  const [program = '', ...args] = machine.pinned('load', [
    process.execPath,
    '--import',
    'tsx',
    file,
  ])
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    program: 'autocannon',
    run: (job) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error('The load generator ended'))
        child.once('exit', onExit)
        child.once('message', (result) => {
          child.off('exit', onExit)
          resolve(result as LoadResult)
        })
        child.send(job)
      }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await exited
    },
  }
}

/** Uses wrk if installed, else autocannon. wrk needs less CPU, so it never limits the result. */
export function startLoad(machine: Machine, folder: string): Load {
  if (!hasWrk()) return startAutocannon(machine)
  const autocannon = startAutocannon(machine)
  let scripts = 0
  return {
    program: 'wrk',
    run(job) {
      // wrk can't send a fixed number of requests, or what a response contains.
      if (job.amount || job.follow) return autocannon.run(job)
      const script = join(folder, `load-${++scripts}.lua`)
      return runWrk(machine, job, script, (text) => writeFileSync(script, text))
    },
    stop: () => autocannon.stop(),
  }
}
