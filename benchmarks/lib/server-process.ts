import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Machine } from './machine.js'
import type { Answer, Cases, Question, Ready, Settings } from './settings.js'

/** A server of the comparison, in its own process. */
export interface BenchServer {
  readonly name: string
  readonly url: string
  readonly cases: Cases
  /** Its own folder. */
  readonly folder: string
  /** Seconds of processor time so far, of all its threads. */
  cpuSeconds(): Promise<number>
  /** Bytes in use after collecting garbage. */
  heapBytes(): Promise<number>
  /** Begins a profile of the processor's time, or ends it and leaves it in `folder` as `server.cpuprofile`. */
  toggleProfile(): Promise<unknown>
  stop(): Promise<void>
}

export interface ServerOptions extends Omit<Settings, 'folder' | 'signIns'> {
  readonly folder: string
  /** Default none. */
  readonly signIns?: number
  /** File below `servers/`, without its ending. */
  readonly file: string
}

const servers = fileURLToPath(new URL('../servers', import.meta.url))

/** The next message, or an error when the process ends first. */
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

/** Starts a server on the core kept for servers; it has made its data and listens when this returns. */
export async function startBenchServer(
  machine: Machine,
  name: string,
  options: ServerOptions,
): Promise<BenchServer> {
  const { file, folder: parent, ...rest } = options
  const folder = join(parent, `${file}-${++started}`)
  mkdirSync(folder)
  const settings: Settings = { signIns: 0, ...rest, folder }
  const [program = '', ...args] = machine.pinned('server', [
    process.execPath,
    '--import',
    'tsx',
    '--expose-gc',
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
