/**
 * `npm test`: runs all tests against real servers and checks the coverage thresholds.
 * `npm test -- test/users` runs a part, without coverage. Arguments that begin with a dash go to
 * Node. With `--unit` it skips tests that need a server, a browser, the demo or the type checker.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { compiledFolder, planTests } from './compiled-tests.js'
import { installMissing } from './services/install.js'
import { startMariadb } from './services/mariadb.js'
import { startPostgres } from './services/postgres.js'
import { findProgram, programs } from './services/programs.js'
import { startRedis } from './services/redis.js'
import { startRedisCluster } from './services/redis-cluster.js'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Timeout for one process, to catch a test that hangs. */
const processMs = 15 * 60_000
const unit = process.argv.includes('--unit')
/**
 * Concurrent processes. Unit tests wait more than they compute.
 * Tests of races against servers must not wait for a core.
 */
const concurrency = unit ? 3 * availableParallelism() : 1 + availableParallelism()
/** Shared processes: few, because each loads the plugin, but enough to balance the load. */
const parts = 8
/** Timeout for the whole run, to catch a runner that hangs. */
const overallMs = 40 * 60_000

/** All files with a suffix in a folder, sorted, relative to the repository. */
function filesBelow(folder: string, suffix: string): string[] {
  const path = join(root, folder)
  if (!existsSync(path)) return []
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name))
    .sort()
}

/** The test files that a command-line argument selects. */
function chosen(argument: string): string[] {
  const path = relative(root, join(process.cwd(), argument))
  const found =
    existsSync(join(root, path)) && statSync(join(root, path)).isFile()
      ? [path]
      : filesBelow(path, '.test.ts')
  if (found.length === 0) throw new Error(`no test file at "${argument}"`)
  return found
}

/** Sources that contain only types. They have no code that a test could cover. */
function typesOnly(): string[] {
  const options = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
    verbatimModuleSyntax: true,
    removeComments: true,
  }
  return ['src', 'schemas']
    .flatMap((folder) => filesBelow(folder, '.ts'))
    .filter((path) => {
      const output = ts.transpileModule(readFileSync(join(root, path), 'utf8'), {
        compilerOptions: options,
      }).outputText
      return /^\s*(export \{\};\s*)?$/.test(output)
    })
}

interface Servers {
  env: Record<string, string>
  stop(): Promise<void>
}

/** Starts all servers of the tests. If one fails to start, stops the others. */
async function startServers(): Promise<Servers> {
  await installMissing()
  const folder = mkdtempSync(join(tmpdir(), 'crudauth-test-'))
  const starts = {
    TEST_REDIS_URL: startRedis(folder),
    TEST_REDIS_CLUSTER: startRedisCluster(folder),
    TEST_POSTGRES_URL: startPostgres(folder),
    TEST_MARIADB_URL: startMariadb(folder),
  }
  const settled = await Promise.allSettled(Object.values(starts))
  const started = settled.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
  for (const start of settled) {
    if (start.status === 'fulfilled') continue
    await stop()
    throw start.reason
  }
  const env: Record<string, string> = {
    CRUDAUTH_TEST_ALL: '1',
    TEST_CHROMIUM: findProgram(programs.chromium) ?? '',
  }
  for (const [name, start] of Object.entries(starts)) env[name] = (await start).url
  return { env, stop }
}

/** Ends the tests and all processes that they started, which are one process group. */
function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {}
}

/** Runs Node's test runner. Resolves to its exit code. */
function runTests(
  files: string[],
  flags: string[],
  env: NodeJS.ProcessEnv,
  withCoverage: boolean,
): Promise<number> {
  const node = [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-reporter=spec',
    `--test-timeout=${processMs}`,
    ...flags,
    ...planTests(root, files, parts),
  ]
  const environment = { ...env, CRUDAUTH_TEST_COMPILED: join(root, compiledFolder) }
  const excluded = typesOnly().flatMap((path) => ['--exclude', path.split(sep).join('/')])
  const c8 = [
    join('node_modules', 'c8', 'bin', 'c8.js'),
    '--config',
    '.c8rc.json',
    ...excluded,
    process.execPath,
  ]
  const child = spawn(process.execPath, withCoverage ? [...c8, ...node] : node, {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  return new Promise((resolve) => {
    const stop = (): void => endGroup(child, 'SIGKILL')
    const bound = setTimeout(() => {
      console.error(`The tests did not end within ${overallMs / 60_000} minutes.`)
      stop()
    }, overallMs)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop)
    child.once('error', (error) => console.error(error.message))
    child.once('close', (code) => {
      clearTimeout(bound)
      // Ends processes that a failed test left behind.
      stop()
      resolve(code ?? 1)
    })
  })
}

async function main(): Promise<number> {
  const args = process.argv.slice(2)
  const flags = args.filter((arg) => arg.startsWith('-') && arg !== '--unit')
  const named = args.filter((arg) => !arg.startsWith('-'))
  const needsMore = (path: string) => /^test.(?:demo|browser|types|docs.examples)\b/.test(path)
  const all = filesBelow('test', '.test.ts').filter((path) => !(unit && needsMore(path)))
  const files = named.length > 0 ? [...new Set(named.flatMap(chosen))] : all
  if (files.length === 0) throw new Error('there is no test')

  const env: NodeJS.ProcessEnv = { ...process.env }
  for (const name of Object.keys(env))
    if (name.startsWith('TEST_') || name === 'CRUDAUTH_TEST_ALL') delete env[name]
  // Inherited from an outer test run. With it, the inner runner would run no tests.
  delete env.NODE_TEST_CONTEXT
  if (unit) return runTests(files, flags, env, false)

  const servers = await startServers()
  try {
    return await runTests(
      files,
      flags,
      { ...env, ...servers.env },
      named.length === 0 && flags.length === 0,
    )
  } finally {
    await servers.stop()
  }
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message)
  return 2
})
