import { spawn } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram, type Program, programs } from './programs.js'

const policyPath = '/usr/sbin/policy-rc.d'

const missing = (): Program[] => Object.values(programs).filter((program) => !findProgram(program))

const runVisibly = (program: string, args: string[]): Promise<boolean> =>
  new Promise((resolve) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], env })
    child.once('error', () => resolve(false))
    child.once('close', (code) => resolve(code === 0))
  })

/**
 * Installs missing programs that the tests need, if this process is root and apt-get exists.
 * @throws Error that names the packages if a program is still missing
 */
export async function installMissing(): Promise<void> {
  const wanted = missing()
  if (wanted.length === 0) return
  const packages = wanted.map(({ debian }) => debian)
  if (
    process.getuid?.() === 0 &&
    findProgram({ names: ['apt-get'], debian: 'apt', homebrew: '' })
  ) {
    console.log(`Installing for the tests: ${packages.join(' ')}`)
    await install(packages)
  }
  const left = missing()
  if (left.length === 0) return
  throw new Error(
    [
      `The tests need programs that are not installed: ${left.map(({ names }) => names[0]).join(', ')}.`,
      `  Debian, Ubuntu: sudo apt-get install --no-install-recommends ${left.map(({ debian }) => debian).join(' ')}`,
      `  Homebrew:       brew install ${left.map(({ homebrew }) => homebrew).join(' ')}`,
      'Tests that need none of them: npm run test:unit',
    ].join('\n'),
  )
}

/** Installs Debian packages without starting their servers, because the tests start their own. */
async function install(packages: string[]): Promise<void> {
  const ours = !existsSync(policyPath)
  // Ctrl-C ends apt-get, not this process, which must still remove its policy file.
  const ignore = (): void => {}
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, ignore)
  try {
    if (ours) writeFileSync(policyPath, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
    const updated = await runVisibly('apt-get', ['update', '-q'])
    if (!updated) console.error('apt-get update failed; trying with the lists as they are')
    await runVisibly('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages])
  } finally {
    if (ours) rmSync(policyPath, { force: true })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, ignore)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await installMissing().catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}
