import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Machine, Role } from './machine.js'
import type { Answer, Cases, Question, Ready, Settings } from './settings.js'

/** A compared server, in its own process. */
export interface BenchServer {
  readonly name: string
  readonly url: string
  readonly cases: Cases
  /** A folder for this server alone. */
  readonly folder: string
  /** CPU time of all its threads so far, in seconds. */
  cpuSeconds(): Promise<number>
  /** Heap in use after a garbage collection, in bytes. */
  heapBytes(): Promise<number>
  /** Starts a CPU profile, or stops it and writes it to `server.cpuprofile` in `folder`. */
  toggleProfile(): Promise<unknown>
  stop(): Promise<void>
}

/** The settings of a server that differ from the defaults of the plan. */
export interface ServerOptions extends Partial<Omit<Settings, 'folder'>> {
  /** File in `servers/`, without its extension. */
  readonly file: string
  /** Default: one core, for servers only. */
  readonly on?: Role
}

const servers = fileURLToPath(new URL('../servers', import.meta.url))

/** Waits for the next message. @throws Error if the process ends first */
function nextMessage<T>(child: ChildProcess, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off('message', onMessage)
      child.off('exit', onExit)
    }
    const onMessage = (message: unknown) => {
      settle()
      resolve(message as T)
    }
    const onExit = (code: number | null, signal: string | null) => {
      settle()
      reject(new Error(`The server "${name}" ended with ${code ?? signal}`))
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}

let started = 0

/** Starts a server. Resolves when its data exists and it listens. */
export async function startBenchServer(
  machine: Machine,
  name: string,
  parent: string,
  { users }: { readonly users: number },
  { file, on = 'server', ...rest }: ServerOptions,
): Promise<BenchServer> {
  const folder = join(parent, `${file}-${++started}`)
  mkdirSync(folder)
  const settings: Settings = { users, active: users, signIns: 0, ...rest, folder }
  const [program = '', ...args] = machine.pinned(on, [
    process.execPath,
    '--import',
    'tsx',
    '--expose-gc',
    // What V8 allocates in old space is decided by chance in the first second: see the README.
    '--no-allocation-site-pretenuring',
    join(servers, `${file}.ts`),
  ])
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', BENCH_SETTINGS: JSON.stringify(settings) },
  })
  const { port, cases } = await nextMessage<Ready>(child, name)
  const ask = async (question: Question['ask']) => {
    const answer = nextMessage<Answer>(child, name)
    child.send({ ask: question } satisfies Question)
    return (await answer).answer
  }
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    cases,
    folder,
    cpuSeconds: async () => (await ask('cpu')) / 1e6,
    heapBytes: () => ask('heap'),
    toggleProfile: () => ask('profile'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await exited
    },
  }
}
