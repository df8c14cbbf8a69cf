import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'

/**
 * What a process does: `server` has one core for itself, `two-cores` that one and the one before,
 * which it shares with the load where there are only two.
 */
export type Role = 'server' | 'two-cores' | 'load'

/** The machine of the run, and the cores for servers and load. */
export interface Machine {
  /** Description for published results, without host name and paths. */
  readonly description: string
  readonly pins: boolean
  /** Pins a command to the core of its role. Returns it unchanged if pinning is not possible. */
  pinned(role: Role, command: readonly string[]): readonly string[]
  /** Pins a running process to the core of its role. */
  pin(role: Role, pid: number): void
}

/** The cores that this process may use. Empty if unknown. */
function allowedCores(): number[] {
  try {
    const list =
      /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
    return list.split(',').flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, at) => first + at)
    })
  } catch {
    return []
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * Servers run on the last core. Load, Redis and PostgreSQL run on the first one, where the system does most of
 * its own work.
 */
export function lookAtMachine(): Machine {
  const cores = allowedCores()
  const pins = cores.length >= 2 && hasTaskset()
  const coreOf: Record<Role, string> = {
    server: String(cores.at(-1)),
    'two-cores': cores.slice(-2).join(','),
    load: String(cores[0]),
  }
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const memoryGiB = Math.round(totalmem() / 2 ** 30)
  return {
    description: `${platform()} ${arch()}, ${cores.length || cpus().length} cores (${model}), ${memoryGiB} GiB, Node ${process.versions.node}`,
    pins,
    pinned: (role, command) => (pins ? ['taskset', '-c', coreOf[role], ...command] : command),
    pin(role, pid) {
      if (pins)
        execFileSync('taskset', ['-a', '-c', '-p', coreOf[role], String(pid)], { stdio: 'ignore' })
    },
  }
}
