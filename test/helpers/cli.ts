import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { root } from '../../scripts/source-graph.js'
import { moduleUrl, nodeFlags } from './child.js'

const bin = fileURLToPath(moduleUrl('src/cli/bin.ts'))

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Flags of Node. By default those that load our sources. */
  readonly flags?: readonly string[]
}

/** Runs the command line in a process of its own. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd = root, env = {}, flags = nodeFlags } = options
  const child = spawn(process.execPath, [...flags, bin, ...args], {
    cwd,
    env: { ...process.env, NODE_TEST_CONTEXT: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...output }))
  })
}
