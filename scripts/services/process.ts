import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Account, isTraversable } from './programs.js'

/** How to run a server, and how to tell that it is ready. */
export interface ServerCommand {
  /** Name in error messages. */
  name: string
  program: string
  args: string[]
  /** A folder only for this server. It is removed when the server stops, even after a crash. */
  folder: string
  account?: Account | undefined
  /** Matches the log once the server accepts connections. */
  ready: RegExp
  /** Signal for a fast, graceful shutdown. Default SIGTERM. */
  stopSignal?: NodeJS.Signals
  /** Default 60 000, because the first start on a busy machine is slow. */
  readyWithinMs?: number
}

/** A running server. */
export interface RunningServer {
  pid: number
  isAlive(): boolean
  /** Shuts down, by force after 5 seconds. Never fails. `keepFolder` allows another start. */
  stop(options?: { keepFolder?: boolean }): Promise<void>
  /** Simulates a crash with SIGKILL. */
  kill(): Promise<void>
  /** Suspends the process. Its connections stay open, but it doesn't respond. */
  pause(): void
  resume(): void
}

/** The server could not bind its port, because another process took it first. */
export class PortTaken extends Error {}

/**
 * Finds distinct free ports of 127.0.0.1.
 * Another process may still take one before you use it: see {@link onFreePorts}.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))))
  return ports
}

/** Runs `start` with free ports, and again with others if one was taken in the meantime. */
export async function onFreePorts<T>(
  count: number,
  start: (ports: number[]) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePorts(count))
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === 5) throw error
    }
  }
}

/**
 * Creates a folder for one server, inside `parent` if possible, else in a temporary folder.
 * The server's account must be able to reach it. Its path must not contain spaces, which break the
 * shell scripts of some databases.
 */
export function serverFolder(parent: string, name: string, account?: Account): string {
  const home = [parent, tmpdir(), '/tmp', '/var/tmp']
    .map(existingPath)
    .find((folder) => folder && isSuitable(folder, account))
  if (!home)
    throw new Error(
      `no folder for ${name}: neither "${parent}" nor the temporary folder can be used`,
    )
  const folder = mkdtempSync(join(home, `crudauth-${name}-`))
  if (account) chownSync(folder, account.uid, account.gid)
  return folder
}

const existingPath = (folder: string): string | undefined => {
  try {
    return realpathSync(folder)
  } catch {
    return undefined
  }
}

const isSuitable = (folder: string, account?: Account): boolean =>
  !/\s/.test(folder) && (!account || isTraversable(folder))

/** The last lines of a server's log. */
export function logTail(path: string, lines = 30): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return '(no log)'
  }
}

/**
 * Stops the server when this process ends for any reason, which closes the script's standard input.
 * An exit handler would miss SIGKILL, and a signal handler would change how the tests end.
 */
const guardScript = `
cat >/dev/null
kill -CONT "$1"; kill -"$2" "$1"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 "$1" || break; sleep 0.1; done
kill -KILL "$1"
rm -rf "$3"`

function guard(pid: number, stopSignal: NodeJS.Signals, folder: string): ChildProcess {
  const args = ['-c', guardScript, 'guard', String(pid), stopSignal.replace('SIG', ''), folder]
  const watcher = spawn('/bin/sh', args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  })
  watcher.unref()
  ;(watcher.stdin as unknown as { unref(): void }).unref()
  return watcher
}

/** Logs are in English, and temporary files go where the server's account may write. */
const environment = (folder: string): NodeJS.ProcessEnv => ({
  ...process.env,
  LC_ALL: 'C',
  TMPDIR: folder,
})

/**
 * Starts a server and waits until it is ready.
 * @throws PortTaken if another process has the port
 * @throws Error with the end of the server's log
 */
export async function startServer(command: ServerCommand): Promise<RunningServer> {
  const { name, folder, stopSignal = 'SIGTERM', readyWithinMs = 60_000 } = command
  const logPath = join(folder, 'server.log')
  // Emptied, so that the log of an earlier start can't look ready.
  const log = openSync(logPath, 'w')
  // Its own process group, so that Ctrl-C reaches only the tests, which then stop their servers.
  const child = spawn(command.program, command.args, {
    stdio: ['ignore', log, log],
    cwd: folder,
    env: environment(folder),
    detached: true,
    ...command.account,
  })
  closeSync(log)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error]
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`${name} cannot be run: ${error.message}`)
  }
  const { pid } = child
  const watcher = guard(pid, stopSignal, folder)
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null

  const end = async (signal: NodeJS.Signals, keepFolder = false): Promise<void> => {
    child.ref()
    if (isAlive()) {
      child.kill(signal)
      // A paused process handles the signal only when it continues.
      child.kill('SIGCONT')
      const force = setTimeout(() => child.kill('SIGKILL'), 5000)
      await exited
      clearTimeout(force)
    }
    if (keepFolder) return
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
  // Stop the guard first: the system may reuse the pid for another process.
  void exited.then(() => watcher.kill('SIGKILL'))

  const deadlineMs = Date.now() + readyWithinMs
  while (!command.ready.test(logTail(logPath, 1000)) || !isAlive()) {
    if (isAlive() && Date.now() < deadlineMs) {
      await delay(20)
      continue
    }
    const tail = logTail(logPath)
    const reason = isAlive()
      ? `was not ready within ${readyWithinMs} ms`
      : `ended with ${child.exitCode ?? child.signalCode}`
    await end('SIGKILL')
    if (/address already in use/i.test(tail)) throw new PortTaken(`${name}: its port is taken`)
    throw new Error(`${name} ${reason}. The end of its log:\n${tail}`)
  }
  child.unref()

  return {
    pid,
    isAlive,
    stop: ({ keepFolder } = {}) => end(stopSignal, keepFolder),
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  }
}

/**
 * Runs a program that prepares a server's folder. Removes the folder if it fails.
 * @throws Error with its output
 */
export async function prepareFolder(
  program: string,
  args: string[],
  folder: string,
  account?: Account,
): Promise<void> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    env: environment(folder),
    ...account,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const code = await new Promise((resolve) => {
    child.once('close', resolve)
    child.once('error', (error) => resolve(error.message))
  })
  if (code === 0) return
  rmSync(folder, { recursive: true, force: true })
  throw new Error(`${program} failed with ${code}:\n${output.slice(-4000)}`)
}
