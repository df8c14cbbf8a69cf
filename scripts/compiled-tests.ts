/**
 * What makes the tests quick: their TypeScript is compiled once, into `.tmp/tests/`, and many files run in one process, where
 * the product is loaded once.
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
/** Below the repository. */
export const compiledFolder = join('.tmp', 'tests')

/** Read or start the sources themselves, by tsx. */
const asTheyAre =
  /^test\/(browser|demo|docs|package|types)\/|^test\/[^/]+$|\/(documented|bullmq)\.test\.ts$/
/** Count the work of the one hash function of their process. */
const namesAlone = /equal-work|email-oracle|enumeration|email-timing|equal-time/
/** Of those, what starts processes or a compiler, and so needs time of its own. */
const startsMuch = /^test\/(?:browser|demo|package|types)\/|docs\/(?:examples|recipes)/
/** Change what all code of their process sees. A mocked `Date` is put back when its test ends. */
const textsAlone = /apis: \['set|mock\.method\(\s*(?:globalThis|performance|dns)\b/

const compilerOptions: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2023,
  verbatimModuleSyntax: true,
  sourceMap: true,
  inlineSources: true,
}

/** `import.meta.url` stays the address of the source, beside which documents and other sources are found. */
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
 * @param further transformers beside the one that every source needs
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

/** Every TypeScript source that the tests need. */
export const testSources = (root: string): string[] =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => join(folder, name)),
  )

/** Whether a test runs compiled; the others read or start the sources themselves. */
export const runsCompiled = (path: string): boolean => !asTheyAre.test(path.split(sep).join('/'))

const outputOf = (path: string) => join(compiledFolder, path.replace(/\.ts$/, '.js'))

/**
 * Compiles everything that changed, and returns the files to run, each in a process: those that need one of their own, a few
 * for those that run from source, and `parts` that import the others.
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
  /** Processes that share files; neighbours are alike, so every one gets some of each kind. */
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
    ...shared('part', compiled.filter((path) => !isAlone(path)).map(outputOf), parts),
  ]
}
