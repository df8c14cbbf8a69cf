import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { root } from '../../scripts/source-graph.js'
import { commandFor } from '../helpers/child.js'

/** A running demo, started like `npm start`. */
export interface Demo {
  /** The printed URL, without a trailing slash. */
  readonly url: string
  readonly port: number
  /** All output so far. */
  output(): string
  /** Sends a signal and waits. Resolves to the exit code, or null if a signal ended the demo. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

const startWithinMs = 60_000
const stopWithinMs = 20_000

/** A new folder that is removed when the test ends. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-demo-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Variables that the demo must not inherit from the shell or the test runner. */
const foreign =
  /^(HOST|PORT|PUBLIC_URL|NODE_ENV|DATABASE_URL|REDIS_URL|AUTH_SECRET|COOKIE_SECURE|MFA_KEY|MFA_REQUIRED|LOG_LEVEL|DEMO_FOLDER|NODE_TEST_CONTEXT|npm_.*)$/

/** The command of a package script, to run it without npm and a shell. */
export function commandOf(script: 'start' | 'demo:oidc'): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  return String(scripts[script])
    .split(' ')
    .map((word, index) => (index === 0 && word === 'node' ? process.execPath : word))
}

function run(t: TestContext, env: Record<string, string>, command?: string[]) {
  const [program = '', ...args] = commandFor(command ?? commandOf('start'))
  const hasOwnGroup = command !== undefined
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !foreign.test(name)),
  )
  const child = spawn(program, args, {
    cwd: root,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // With its own group, a given command can be ended with all its children.
    // Otherwise the demo stays in the process group of the tests, which ends with them.
    detached: hasOwnGroup,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  // "close", unlike "exit", waits until all processes have closed the output.
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const force = () => {
    if (!hasOwnGroup) return void child.kill('SIGKILL')
    try {
      process.kill(-Number(child.pid), 'SIGKILL')
    } catch {
      // All processes have already ended.
    }
  }
  t.after(async () => {
    force()
    await ended
  })
  return { child, ended, force, output: () => output }
}

/** Runs a demo that is expected to fail. Resolves to its exit code and output. */
export async function runDemo(
  t: TestContext,
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const { ended, force, output } = run(t, env)
  const bound = setTimeout(force, startWithinMs)
  const code = await ended
  clearTimeout(bound)
  return { code, output: output() }
}

/** Repeats a start if another process took the free port between its choice and its use. */
export async function onFreePort<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      if (attempt === 3 || !/Port 0 is taken|EADDRINUSE/.test(String(error))) throw error
    }
  }
}

/** Starts a demo and waits until it prints its URL. @throws Error with its output if it doesn't */
export const startDemo = (...given: Parameters<typeof startOnce>): Promise<Demo> =>
  onFreePort(() => startOnce(...given))

async function startOnce(
  t: TestContext,
  folder: string,
  env: Record<string, string> = {},
  command?: string[],
): Promise<Demo> {
  const { child, ended, force, output } = run(
    t,
    { DEMO_FOLDER: folder, PORT: '0', ...env },
    command,
  )
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The demo ${why}. It wrote:\n${output()}`))
    const bound = setTimeout(() => fail('did not start in time'), startWithinMs)
    const look = () => {
      const [, found] = /^ *Page +(http:\/\/\S+)\/$/m.exec(output()) ?? []
      // The last line of the banner: all of it was printed.
      if (found === undefined || !/^ *Stop /m.test(output())) return
      clearTimeout(bound)
      resolve(found)
    }
    child.stdout.on('data', look)
    void ended.then((code) => {
      clearTimeout(bound)
      fail(`ended with ${code}`)
    })
  })
  return {
    url,
    port: Number(new URL(url).port),
    output,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const bound = setTimeout(force, stopWithinMs)
      const code = await ended
      clearTimeout(bound)
      return code
    },
  }
}
