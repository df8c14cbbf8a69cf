import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Report } from './report.js'
import { isAtLeast } from './versions.js'

/** Below these versions, published advisories concern apps with this plugin. */
const floors: Readonly<Record<string, string>> = {
  fastify: '5.8.5',
  'fast-jwt': '6.3.2',
  undici: '7.24.0',
  nodemailer: '8.0.5',
  'drizzle-orm': '0.45.2',
  '@simplewebauthn/server': '13.0.0',
}

/** The folder of a package as Node finds it from another folder. Undefined if it isn't installed. */
function findPackage(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name)
    if (existsSync(join(path, 'package.json'))) return realpathSync(path)
    if (dirname(folder) === folder) return undefined
  }
}

const versionIn = (folder: string): string =>
  String(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version ?? '')

/**
 * Compares installed packages with their security floors: those of the app, and those of its copy of
 * this package.
 */
export function checkPackages(report: Report, path: string): void {
  const home = dirname(realpathSync(path))
  const ours = findPackage(home, 'fastify-crudauth') ?? dirname(fileURLToPath(import.meta.url))
  let outdated = false
  for (const [name, floor] of Object.entries(floors)) {
    const folders = new Set([findPackage(home, name), findPackage(ours, name)])
    for (const folder of folders) {
      if (folder === undefined) continue
      const version = versionIn(folder)
      if (isAtLeast(version, floor)) continue
      outdated = true
      report.add(
        'fix',
        `${name} ${version} has known vulnerabilities; update it to ${floor} or later: npm update ${name}`,
      )
    }
  }
  if (!outdated) report.add('ok', 'No package is below its security floor.')
}
