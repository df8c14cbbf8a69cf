/**
 * `npm test`: every test against real servers, with a floor under the coverage. `npm test -- test/users` runs a part, without
 * the floor; what begins with a dash goes to Node. `--unit` starts no server, browser, demo or type checker: tests that need
 * one are skipped.
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
/** For one process of tests; it catches a test that hangs. */
const processMs = 15 * 60_000
/** Processes at a time. Unit tests wait more than they compute; those that race servers must not wait for a core. */
const unit = process.argv.includes('--unit')
const concurrency = unit ? 3 * availableParallelism() : 1 + availableParallelism()
/** Processes that share the files: few, since each loads the product, but enough to end together. */
const parts = 8
/** For everything; it catches a runner that hangs. */
const overallMs = 40 * 60_000

/** Files below a folder of the repository, relative to it, in order. */
function filesBelow(folder: string, suffix: string): string[] {
  const path = join(root, folder)
  if (!existsSync(path)) return []
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name))
    .sort()
}

/** The test files that an argument of the command line means. */
function chosen(argument: string): string[] {
  const path = relative(root, join(process.cwd(), argument))
  const found =
    existsSync(join(root, path)) && statSync(join(root, path)).isFile()
      ? [path]
      : filesBelow(path, '.test.ts')
  if (found.length === 0) throw new Error(`no test file at "${argument}"`)
  return found
}

/** Sources that hold nothing but types: no test can run what is not there. */
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

/** Starts every server the tests talk to; when one does not start, stops the others. */
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

/** Ends the tests with everything they started: they are a process group of their own. */
function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {}
}

/** Runs Node's test runner to its end. Resolves with its exit code. */
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
      // What a failed test left running.
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
  // Set inside a run of Node's test runner, where a second runner would not run.
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
