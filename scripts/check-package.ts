/**
 * `npm run check:package`: tests the package as users install it. Packs a fresh build, checks it
 * with publint and attw, and installs it into an empty app. Runs that app on this Node and on the
 * versions below, and compiles it.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './source-graph.js'

/** Node versions to test, besides the one that runs this script. */
const nodeVersions = ['22', '24', '26']
const entryPoints = [
  'fastify-crudauth',
  'fastify-crudauth/client',
  'fastify-crudauth/email/smtp',
  'fastify-crudauth/legacy',
  'fastify-crudauth/schemas',
  'fastify-crudauth/state/kysely',
  'fastify-crudauth/testing',
  ...['kysely', 'drizzle', 'prisma'].flatMap((name) => [
    `fastify-crudauth/users/${name}`,
    `fastify-crudauth/oauth-accounts/${name}`,
    `fastify-crudauth/passkeys/${name}`,
  ]),
]
/** Files that the package may contain outside `dist`. */
const plainFiles =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|llms\.txt|docs\/.+\.(md|json|svg|png))$/
const builtFiles = /^dist\/(src|schemas)\/.+\.(js|d\.ts)$/

/** The environment without npm's variables about this run, which mislead npm in other folders. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|command)|npm_config_(local_)?prefix|INIT_CWD|NODE_OPTIONS)/.test(
        name,
      ),
  ),
)

class CheckFailed extends Error {}

/** Runs a program and returns its standard output. @throws CheckFailed with its output */
function run(cwd: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (status === 0) return stdout
  throw new CheckFailed(
    `${[program, ...args].join(' ')} failed (${error?.message ?? status}):\n${stdout}${stderr}`,
  )
}

const install = (folder: string, ...packages: string[]): string =>
  run(
    folder,
    'npm',
    'install',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
    ...packages,
  )

const tool = (...parts: string[]): string => join(root, 'node_modules', ...parts)

/** A development dependency with the version range of this repository. */
function ranged(name: string): string {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>
  }
  return `${name}@${devDependencies[name]}`
}

function pack(folder: string): string {
  run(root, 'npm', 'run', 'build')
  // With scripts, npm would build again and print more than the JSON.
  const [packed] = JSON.parse(
    run(root, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder),
  ) as {
    filename: string
  }[]
  if (!packed) throw new CheckFailed('npm pack packed nothing')
  return join(folder, packed.filename)
}

/** All files in a folder and its subfolders, relative to it. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  )

/** Relative links in a Markdown text, without anchors. */
const linkedFiles = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s#:]+)(?:#[^)\s]*)?\)/g)].map(([, link]) => link as string)

/** Allows only built code and documents, without paths of the build machine or dead links. */
function checkContent(installed: string): void {
  const files = filesBelow(installed).filter((name) => !name.startsWith('node_modules'))
  const stray = files.filter((name) => !plainFiles.test(name) && !builtFiles.test(name))
  if (stray.length > 0)
    throw new CheckFailed(`does not belong into the package:\n  ${stray.join('\n  ')}`)
  for (const name of [
    'LICENSE',
    'README.md',
    'llms.txt',
    'dist/src/index.js',
    'dist/src/index.d.ts',
  ]) {
    if (!files.includes(name)) throw new CheckFailed(`the package lacks ${name}`)
  }
  const machine = [root.replace(/\/$/, ''), homedir(), tmpdir()].filter((path) => path.length > 4)
  for (const name of files) {
    const text = readFileSync(join(installed, name), 'utf8')
    const found = [...machine, 'file:///', 'sourceMappingURL'].find((path) => text.includes(path))
    if (found) throw new CheckFailed(`${name} names "${found}", which exists on this machine only`)
    const dead = /\.(?:md|txt)$/.test(name)
      ? linkedFiles(text).filter((link) => !existsSync(join(installed, dirname(name), link)))
      : []
    if (dead.length > 0)
      throw new CheckFailed(`${name} links to what is not packed: ${dead.join(', ')}`)
  }
}

/**
 * Installs another Node version. The npm package `node` downloads the binary in an install script,
 * so this installs the package of the platform, which contains it.
 */
function otherNode(folder: string, version: string): string {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const home = join(folder, `node-${version}`)
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  install(home, `node-binary@npm:node-${platform}-${process.arch}@${version}`)
  const path = join(home, 'node_modules', 'node-binary', 'bin', 'node')
  if (!existsSync(path)) throw new CheckFailed(`npm's package of Node ${version} has no bin/node`)
  return path
}

/** Apps that use our types. They are stored as `.txt` so that nothing else compiles them. */
const consumers = ['consumer.ts', 'commonjs.cts']

/**
 * Type-checks the consumers and our declarations.
 * Ignores errors in the declarations of other packages, because we can't fix them.
 */
function checkTypes(app: string): void {
  for (const file of consumers) renameSync(join(app, `${file}.txt`), join(app, file))
  const compilerOptions = {
    target: 'ES2023',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  }
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: consumers }))
  const { status, stdout } = spawnSync(
    process.execPath,
    [tool('typescript', 'bin', 'tsc'), '-p', '.', '--pretty', 'false'],
    {
      cwd: app,
      encoding: 'utf8',
    },
  )
  const errors = stdout.split('\n').filter((line) => /error TS\d+/.test(line))
  const ours = errors.filter(
    (line) =>
      !line.startsWith('node_modules/') || line.startsWith('node_modules/fastify-crudauth/'),
  )
  if (ours.length > 0 || (status !== 0 && errors.length === 0))
    throw new CheckFailed(`tsc:\n${ours.join('\n') || stdout}`)
}

function step<T>(name: string, check: () => T): T {
  const startedMs = Date.now()
  const result = check()
  console.log(`✔ ${name} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`)
  return result
}

const commandLine = join('node_modules', '.bin', 'fastify-crudauth')

/** Runs the commands as users do. None of them needs an optional peer. */
function checkCommandLine(app: string, node: string): void {
  const secret = run(app, node, commandLine, 'secret')
  if (!/^[A-Za-z0-9+/]{64}\n$/.test(secret)) throw new CheckFailed('"secret" printed no secret')
  for (const dialect of ['postgres', 'mysql', 'sqlite'])
    for (const format of ['sql', 'kysely', 'drizzle', 'prisma']) {
      const options = ['--dialect', dialect, '--format', format, '--features', 'mfa,state']
      const printed = run(app, node, commandLine, 'schema', ...options)
      if (!printed.includes('crudauth_counters'))
        throw new CheckFailed(`"schema ${options.join(' ')}" printed:\n${printed}`)
    }
  const report = run(app, node, commandLine, 'doctor', 'doctor.mjs')
  if (!report.includes('Nothing must be fixed')) throw new CheckFailed(report)
}

function main(folder: string): void {
  const tarball = step('build and npm pack', () => pack(folder))
  step('publint --strict', () =>
    run(root, process.execPath, tool('publint', 'src', 'cli.js'), 'run', tarball, '--strict'),
  )
  step('attw --profile esm-only', () =>
    run(
      root,
      process.execPath,
      tool('@arethetypeswrong', 'cli', 'dist', 'index.js'),
      tarball,
      '--profile',
      'esm-only',
      '--no-definitely-typed',
    ),
  )
  const app = join(folder, 'app')
  cpSync(join(root, 'test', 'package', 'app'), app, { recursive: true })
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({ name: 'app', private: true, type: 'module' }),
  )
  step('installation into an empty app', () => install(app, tarball, ranged('fastify')))
  step('content', () => checkContent(join(app, 'node_modules', 'fastify-crudauth')))
  // The client of Prisma is the app's: its stores import nothing.
  const withoutPeers = entryPoints.filter((entry) => !/\/(kysely|drizzle)$/.test(entry))
  step('entry points without optional peers', () =>
    run(app, process.execPath, 'names.mjs', ...withoutPeers),
  )
  step('command line without optional peers', () => checkCommandLine(app, process.execPath))
  step('installation of the optional peers', () =>
    install(app, ranged('kysely'), ranged('drizzle-orm'), ranged('@types/node')),
  )
  step('declarations, strict, compiled by a consumer', () => checkTypes(app))
  const nodes = [
    process.execPath,
    ...nodeVersions.map((version) =>
      step(`installation of Node ${version}`, () => otherNode(folder, version)),
    ),
  ]
  for (const node of nodes) {
    const version = run(folder, node, '--version').trim()
    step(`${version}: import`, () => run(app, node, 'names.mjs', ...entryPoints))
    step(`${version}: require and boot`, () => run(app, node, 'names.cjs', ...entryPoints))
    step(`${version}: command line`, () => checkCommandLine(app, node))
    step(`${version}: boot, register, sign in, sign out`, () => run(app, node, 'boot.mjs'))
  }
}

const folder = mkdtempSync(join(tmpdir(), 'crudauth-package-'))
try {
  main(folder)
} catch (error) {
  if (!(error instanceof CheckFailed)) throw error
  console.error(`✖ ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
