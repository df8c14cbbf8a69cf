/**
 * Compiles the tests once into `.tmp/tests/` and runs many files in one process.
 * This makes the tests fast, because each process loads the plugin only once.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

const folders = ['schemas', 'src', 'scripts', 'examples', 'test']
/** Relative to the repository. */
export const compiledFolder = join('.tmp', 'tests')

/** Tests that run from source with tsx, because they read or start the sources. */
const asTheyAre =
  /^test\/(browser|demo|docs|package|types)\/|^test\/[^/]+$|\/(documented|bullmq)\.test\.ts$/
/** Tests that need their own process, because they measure password hashing in it. */
const namesAlone = /equal-work|email-oracle|enumeration|email-timing|equal-time/
/** Tests from source that get their own process, because they start processes or a compiler. */
const startsMuch = /^test\/(?:browser|demo|package|types)\/|docs\/(?:examples|recipes)/
/**
 * Code that changes globals, such as timers. A test with it needs its own process.
 * Mocking only `Date` doesn't count: it is restored when the test ends.
 */
const textsAlone = /apis: \['set|mock\.method\(\s*(?:globalThis|performance|dns)\b/

const compilerOptions: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2023,
  verbatimModuleSyntax: true,
  sourceMap: true,
  inlineSources: true,
}

/** Keeps the source's URL in `import.meta.url`: code finds documents and other sources with it. */
const keepAddress =
  (url: string): ts.TransformerFactory<ts.SourceFile> =>
  (context) =>
  (file) => {
    const visit = (node: ts.Node): ts.Node =>
      ts.isPropertyAccessExpression(node) && node.getText(file) === 'import.meta.url'
        ? ts.factory.createStringLiteral(url)
        : ts.visitEachChild(node, visit, context)
    return ts.visitEachChild(file, visit, context)
  }

/**
 * Compiles one source into `folder`.
 * @param further additional transformers
 */
export function compileInto(
  root: string,
  folder: string,
  path: string,
  further: ts.TransformerFactory<ts.SourceFile>[] = [],
): void {
  const source = join(root, path)
  const output = join(root, folder, path.replace(/\.ts$/, '.js'))
  const { outputText, sourceMapText = '' } = ts.transpileModule(readFileSync(source, 'utf8'), {
    fileName: source,
    compilerOptions,
    transformers: { before: [...further, keepAddress(pathToFileURL(source).href)] },
  })
  const map = JSON.parse(sourceMapText) as Record<string, unknown>
  const url = `data:application/json;base64,${Buffer.from(
    JSON.stringify({ ...map, sourceRoot: '', sources: [pathToFileURL(source).href] }),
  ).toString('base64')}`
  mkdirSync(dirname(output), { recursive: true })
  writeFileSync(
    output,
    outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, `//# sourceMappingURL=${url}\n`),
  )
}

function compile(root: string, path: string): void {
  const output = join(root, outputOf(path))
  const isNew = existsSync(output) && statSync(output).mtimeMs > statSync(join(root, path)).mtimeMs
  if (!isNew) compileInto(root, compiledFolder, path)
}

/** All TypeScript sources that the tests need. */
export const testSources = (root: string): string[] =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => join(folder, name)),
  )

/** Whether a test runs compiled. The others run from source. */
export const runsCompiled = (path: string): boolean => !asTheyAre.test(path.split(sep).join('/'))

const outputOf = (path: string) => join(compiledFolder, path.replace(/\.ts$/, '.js'))

/**
 * Compiles all changed sources and returns the files to run, each in its own process.
 * Tests that need their own process get one. The others are imported by shared files: a few for
 * tests from source, and at most `parts` for compiled tests.
 * @param files relative to `root`
 */
export function planTests(root: string, files: readonly string[], parts: number): string[] {
  for (const path of testSources(root)) compile(root, path)

  const folder = join(compiledFolder, 'parts')
  rmSync(join(root, folder), { recursive: true, force: true })
  mkdirSync(join(root, folder), { recursive: true })
  const write = (name: string, lines: readonly string[]) => {
    const path = join(folder, `${name}.test.js`)
    writeFileSync(join(root, path), `${lines.join('\n')}\n`)
    return path
  }
  const importOf = (path: string) =>
    `await import(${JSON.stringify(pathToFileURL(join(root, path)).href)})`
  const nameOf = (path: string) =>
    path
      .replace(/\.test\.ts$/, '')
      .split(sep)
      .slice(1)
      .join('-')
  const isSource = (path: string) => !runsCompiled(path)

  const texts = (path: string) => readFileSync(join(root, path), 'utf8')
  /** Deals the tests out to shared files in turn, because neighbors take similar time. */
  const shared = (name: string, paths: readonly string[], most: number, first: string[] = []) => {
    const count = Math.min(most, paths.length)
    return Array.from({ length: count }, (_, part) =>
      write(`${name}-${String(part + 1).padStart(2, '0')}`, [
        ...first,
        ...paths.filter((_, at) => at % count === part).map(importOf),
      ]),
    )
  }
  const fromSource = ["import { register } from 'tsx/esm/api'", 'register()']
  const sources = files.filter(isSource)
  const compiled = files.filter((path) => !isSource(path))
  const isAlone = (path: string) => namesAlone.test(path) || textsAlone.test(texts(path))
  return [
    ...sources
      .filter((path) => startsMuch.test(path))
      .map((path) => write(nameOf(path), [...fromSource, importOf(path)])),
    ...shared(
      'sources',
      sources.filter((path) => !startsMuch.test(path)),
      4,
      fromSource,
    ),
    ...compiled.filter(isAlone).map(outputOf),
    // Node runs files in the order of their names. The longest come first, so that no core is idle
    // at the end.
    ...shared('00', compiled.filter((path) => !isAlone(path)).map(outputOf), parts),
  ]
}
