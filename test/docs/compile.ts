import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { type Block, root } from './documents.js'
import { preambles } from './preambles.js'

/** Entry points of the package to their sources, as `package.json` has them. */
export function sourcePaths(): Record<string, string[]> {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string }>
  }
  const paths: Record<string, string[]> = {}
  for (const [name, target] of Object.entries(exports)) {
    if (typeof target === 'string') continue
    const source = target.types.replace('./dist/', '').replace('.d.ts', '.ts')
    paths[name.replace('.', 'fastify-crudauth')] = [join(root, source)]
  }
  return paths
}

const { options } = ts.parseJsonConfigFileContent(
  JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')),
  ts.sys,
  root,
)
const compilerOptions: ts.CompilerOptions = {
  ...options,
  noEmit: true,
  rootDir: root,
  baseUrl: root,
  paths: sourcePaths(),
}

/** Unknown names in a block's comment are mistakes. */
export function preambleOf({ path, line, marks }: Block): string {
  const names = (marks.with ?? '').split(',').map((name) => name.trim())
  return names
    .filter(Boolean)
    .map((name) => {
      const text = preambles[name]
      if (text === undefined)
        throw new Error(`${path}:${line} asks for "${name}", which test/docs/preambles.ts lacks`)
      return text
    })
    .join('; ')
}

/**
 * The preamble in one line, so that lines of errors are easily told. A fragment without imports is a module all the same: it
 * may await.
 */
const sourceOf = (block: Block): string => `${preambleOf(block)}\n${block.code}\nexport {}\n`

const parsed = new Map<string, ts.SourceFile>()

/** Type errors of blocks that are compiled together, as `path:line message`. */
export function typeErrors(blocks: readonly Block[]): string[] {
  const virtual = new Map(
    blocks.map((block, at) => [join(root, 'docs', block.marks.file ?? `example-${at}.ts`), block]),
  )
  const generated = new Map([
    [join(root, 'docs/generated/prisma/client.ts'), join(root, 'test/docs/prisma-client.ts.txt')],
  ])
  const host = ts.createCompilerHost(compilerOptions, true)
  const { getSourceFile, fileExists, readFile, directoryExists } = host
  host.fileExists = (name) => virtual.has(name) || generated.has(name) || fileExists(name)
  host.directoryExists = (name) =>
    name.startsWith(join(root, 'docs')) || directoryExists?.(name) === true
  host.readFile = (name) => {
    const block = virtual.get(name)
    return block ? sourceOf(block) : readFile(name)
  }
  host.getSourceFile = (name, ...rest) => {
    const block = virtual.get(name)
    if (block)
      return ts.createSourceFile(
        name,
        sourceOf(block),
        { languageVersion: ts.ScriptTarget.ES2023, impliedNodeFormat: ts.ModuleKind.ESNext },
        true,
      )
    const known = parsed.get(name)
    if (known) return known
    const stub = generated.get(name)
    if (stub) return ts.createSourceFile(name, readFileSync(stub, 'utf8'), rest[0], true)
    const file = getSourceFile(name, ...rest)
    if (file) parsed.set(name, file)
    return file
  }
  // The augmentation of Fastify's types is part of the package, whether or not a fragment imports it.
  const entry = join(root, 'src/index.ts')
  const program = ts.createProgram([...virtual.keys(), entry], compilerOptions, host)
  const errors: string[] = []
  for (const [name, { path, line }] of virtual) {
    const file = program.getSourceFile(name)
    if (!file) throw new Error(`${path}:${line} was not compiled`)
    for (const found of [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]) {
      const at = file.getLineAndCharacterOfPosition(found.start ?? 0).line
      errors.push(
        `${path}:${line + at} ${ts.flattenDiagnosticMessageText(found.messageText, '\n    ')}`,
      )
    }
  }
  return errors
}
