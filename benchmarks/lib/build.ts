import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Compiles the package as it is published, to a folder of its own below the root (so that it finds its dependencies): a
 * loader's output is slower than what apps run.
 */
export function buildPackage(): string {
  const folder = join(root, '.tmp', `bench-${process.pid}`)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], {
    cwd: root,
    stdio: 'inherit',
  })
  // Fastify's own import, from where the package imports it, for the start-up scenario.
  writeFileSync(join(folder, 'src', 'fastify-only.js'), "export { default } from 'fastify'\n")
  process.env.BENCH_PACKAGE = folder
  return folder
}
