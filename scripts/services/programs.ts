import { execFileSync } from 'node:child_process'
import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** A program that the tests need: its possible names, and the packages that contain it. */
export interface Program {
  names: string[]
  debian: string
  homebrew: string
}

/** All system programs that `npm test` needs. `initdb` is in the same folder as `postgres`. */
export const programs = {
  redis: { names: ['redis-server'], debian: 'redis-server', homebrew: 'redis' },
  postgres: { names: ['initdb'], debian: 'postgresql', homebrew: 'postgresql' },
  mariadb: { names: ['mariadbd'], debian: 'mariadb-server', homebrew: 'mariadb' },
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome', 'Chromium'],
    debian: 'chromium',
    homebrew: 'chromium',
  },
} satisfies Record<string, Program>

const subfolders = (folder: string, prefix: string): string[] => {
  try {
    const versions = readdirSync(folder).filter((name) => name.startsWith(prefix))
    // The newest version first, compared as numbers: 15 before 9.
    return versions
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      .map((name) => join(folder, name, 'bin'))
  } catch {
    return []
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/**
 * Finds a program on `PATH` or in the folders where Debian and Homebrew install servers.
 * @returns its path, or undefined
 */
export function findProgram(program: Program): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
    ...subfolders('/usr/lib/postgresql', ''),
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
    ...subfolders('/opt/homebrew/opt', 'postgresql'),
    '/Applications/Chromium.app/Contents/MacOS',
  ]
  const candidates = program.names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return candidates.find(isExecutable)
}

/** Like {@link findProgram}. @throws Error that names the packages to install */
export function requireProgram(program: Program): string {
  const found = findProgram(program)
  if (found) return found
  throw new Error(
    `${program.names[0]} is not installed (Debian: ${program.debian}; Homebrew: ${program.homebrew})`,
  )
}

/** An account for servers that refuse to run as root. */
export interface Account {
  uid: number
  gid: number
}

/**
 * The first of these accounts that exists, if this process is root.
 * Otherwise undefined: the server runs under our account.
 */
export function unprivilegedAccount(...names: string[]): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of [...names, 'nobody']) {
    try {
      const id = (flag: string): number =>
        Number(
          execFileSync('id', [flag, name], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
          }),
        )
      return { uid: id('-u'), gid: id('-g') }
    } catch {}
  }
  throw new Error(
    `none of the accounts ${names.join(', ')}, nobody exists, and the server does not run as root`,
  )
}

/** Whether every account can reach the files in a folder: "others" may enter it and its parents. */
export function isTraversable(folder: string): boolean {
  const passable = (statSync(folder).mode & 0o001) !== 0
  return passable && (dirname(folder) === folder || isTraversable(dirname(folder)))
}
