import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Compiles the package as published, because the output of a loader is slower than what apps run.
 * The folder is in the repository, so that imports find the dependencies.
 */
export function buildPackage(): string {
  const folder = join(root, '.tmp', `bench-${process.pid}`)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], {
    cwd: root,
    stdio: 'inherit',
  })
  // For the start-up scenario: imports the same Fastify as the package.
  writeFileSync(join(folder, 'src', 'fastify-only.js'), "export { default } from 'fastify'\n")
  process.env.BENCH_PACKAGE = folder
  return folder
}
