/**
 * `npm run mutate`: mutation testing. Changes the source in one place at a time and checks that a
 * test fails. Prints the score of each folder and the surviving mutants.
 *
 *     npm run mutate                           # a sample of all folders below
 *     npm run mutate -- --sample 400 --seed 7 src/gates
 *     npm run mutate -- --tests 1000           # all tests that reach a mutant; slow
 *     npm run mutate -- --from log --tests 80  # survivors of an earlier run, with more tests
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { compileInto, runsCompiled, testSources } from './compiled-tests.js'
import { type Mutant, mutating } from './mutants.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join('.tmp', 'mutants')
/** Folders where an undetected change could be a security hole. */
const everywhere = [
  'src/core/credentials',
  'src/core/sessions',
  'src/core/sign-in',
  'src/features/session',
  'src/features/bearer',
  'src/features/oauth',
  'src/gates',
  'src/crypto',
]
/** Timeout for one test file. A test that hangs because of a mutant has detected it. */
const testMs = 60_000

const { values, positionals } = parseArgs({
  options: {
    sample: { type: 'string', default: '160' },
    seed: { type: 'string', default: '1' },
    /** Maximum number of test files to run for each mutant, the most closely related first. */
    tests: { type: 'string', default: '20' },
    /** Output of an earlier run, to try its survivors again. */
    from: { type: 'string' },
  },
  allowPositionals: true,
})
const targets = positionals.length > 0 ? positionals : everywhere

/** Shuffles a list. The same seed gives the same order. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed >>> 0 || 1
  const random = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  return list
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

function compileAll(): Mutant[] {
  rmSync(join(root, folder), { recursive: true, force: true })
  const mutants: Mutant[] = []
  for (const path of testSources(root)) {
    const isTarget = targets.some((target) => path.split(sep).join('/').startsWith(`${target}/`))
    compileInto(root, folder, path, isTarget ? [mutating(path, mutants)] : [])
  }
  mkdirSync(join(root, folder, 'reached'), { recursive: true })
  // Records the mutants that a test file reaches, or switches one of them on.
  writeFileSync(
    join(root, folder, 'switch.mjs'),
    `import { writeFileSync } from 'node:fs'
const on = process.env.CRUDAUTH_MUTANT
const reached = new Set()
globalThis.__crudauthMutant = on === undefined
  ? (id) => { reached.add(id); return false }
  : (id) => id === Number(on)
if (process.env.CRUDAUTH_REACHED)
  process.on('exit', () => writeFileSync(process.env.CRUDAUTH_REACHED, JSON.stringify([...reached])))
`,
  )
  return mutants
}

/** Runs one test file. Resolves to whether all its tests passed. */
function passes(test: string, env: Record<string, string>): Promise<boolean> {
  return new Promise((resolve) => {
    const compiled = join(root, folder, test.replace(/\.ts$/, '.js'))
    const preload = pathToFileURL(join(root, folder, 'switch.mjs')).href
    const child = spawn(process.execPath, ['--import', preload, compiled], {
      cwd: root,
      env: { ...process.env, CRUDAUTH_TEST_COMPILED: join(root, folder), ...env },
      stdio: 'ignore',
    })
    const bound = setTimeout(() => child.kill('SIGKILL'), testMs)
    child.once('close', (code) => {
      clearTimeout(bound)
      resolve(code === 0)
    })
  })
}

/** Processes a list in order, one item per core at a time. */
async function onEveryCore<T>(list: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...list]
  const one = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, one))
}

/**
 * The test files that reach each mutant.
 * Those that reach the fewest mutants come first, because they are the most specific.
 */
async function reachingTests(): Promise<Map<number, string[]>> {
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', name))
    .filter(runsCompiled)
  const seen: { test: string; ids: number[] }[] = []
  await onEveryCore(tests, async (test) => {
    const file = join(root, folder, 'reached', `${test.split(sep).join('-')}.json`)
    // A test that fails without a mutant would seem to detect all of them.
    if (!(await passes(test, { CRUDAUTH_REACHED: file }))) return
    const ids = JSON.parse(readFileSync(file, 'utf8')) as number[]
    seen.push({ test, ids })
  })
  const reaching = new Map<number, string[]>()
  for (const { test, ids } of seen.sort((a, b) => a.ids.length - b.ids.length))
    for (const id of ids) reaching.set(id, [...(reaching.get(id) ?? []), test])
  return reaching
}

const folderOf = ({ path }: Mutant) =>
  targets.find((target) => path.split(sep).join('/').startsWith(`${target}/`)) ?? ''

const wordsOf = (path: string) =>
  new Set(path.replace(/^(?:src|test)\W|(?:\.test)?\.ts$/g, '').split(/\W/))

/** The tests to run for a mutant, those with the most similar path first. */
function testsOf({ id, path }: Mutant): string[] {
  const own = wordsOf(path)
  const likeness = (test: string) => [...wordsOf(test)].filter((word) => own.has(word)).length
  return [...(reaching.get(id) ?? [])]
    .map((test) => ({ test, like: likeness(test) }))
    .sort((a, b) => b.like - a.like)
    .map(({ test }) => test)
    .slice(0, Number(values.tests))
}

/** How the output names a mutant. `--from` reads it back. */
const lineOf = ({ path, line, what }: Mutant) => `${path}:${line}  ${what.replace(/\s+/g, ' ')}`

function chosenOf(all: Mutant[]): Mutant[] {
  if (values.from === undefined)
    return shuffled(all, Number(values.seed)).slice(0, Number(values.sample))
  const survived = new Set(
    readFileSync(values.from, 'utf8')
      .split('\n')
      .flatMap((line) => /^survives {2}(.*)$/.exec(line)?.[1] ?? []),
  )
  return all.filter((mutant) => survived.has(lineOf(mutant)))
}

const mutants = compileAll()
const reaching = await reachingTests()
const sample = chosenOf(mutants)
console.log(`${mutants.length} changes, of which ${sample.length} are tried`)
const survivors: Mutant[] = []
const tried = new Map<string, { noticed: number; all: number }>()
await onEveryCore(sample, async (mutant) => {
  let noticed = false
  for (const test of testsOf(mutant)) {
    noticed = !(await passes(test, { CRUDAUTH_MUTANT: String(mutant.id) }))
    if (noticed) break
  }
  const score = tried.get(folderOf(mutant)) ?? { noticed: 0, all: 0 }
  tried.set(folderOf(mutant), {
    noticed: score.noticed + Number(noticed),
    all: score.all + 1,
  })
  if (!noticed) survivors.push(mutant)
  console.log(`${noticed ? 'noticed ' : 'survives'}  ${lineOf(mutant)}`)
})
console.log(`${survivors.length} survive`)
for (const [name, { noticed, all }] of [...tried].sort())
  console.log(
    `${String(Math.round((100 * noticed) / all)).padStart(3)} %  ${noticed}/${all}  ${name}`,
  )
