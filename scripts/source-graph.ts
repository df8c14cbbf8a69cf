import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** One import, re-export or `import()` of a source file. */
export interface Import {
  /** Path relative to the repository, or the name of a package or a `node:` module. */
  to: string
  isPackage: boolean
  /** Whether the compiler erases it, so that nothing is loaded at run time. */
  typeOnly: boolean
  /** Imported names; `*` for all of them. */
  names: string[]
  /** Whether it is a re-export. */
  reexport: boolean
  line: number
}

/** The imports and exports of a source file. Paths have `/` and are relative to the repository. */
export interface SourceFile {
  path: string
  lines: number
  imports: Import[]
  /** Names that it exports itself. Re-exports are in `imports`. */
  exports: { name: string; line: number }[]
}

/** Root folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Reads all TypeScript files in folders of the repository. */
export function readSources(...folders: string[]): SourceFile[] {
  return folders.flatMap((folder) => {
    const path = join(root, folder)
    const names = existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []
    const sources = names.filter((name) => name.endsWith('.ts')).sort()
    return sources.map((name) => readSource(posix.join(folder, name.split(sep).join('/'))))
  })
}

function readSource(path: string): SourceFile {
  return parseSource(path, readFileSync(join(root, path), 'utf8'))
}

/** Parses one file. */
export function parseSource(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
  const file: SourceFile = {
    path,
    lines: text.trimEnd().split('\n').length,
    imports: [],
    exports: [],
  }
  const lineOf = (node: ts.Node): number =>
    tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
  const add = (
    node: ts.Node,
    specifier: ts.Node | undefined,
    found: { typeOnly: boolean; names: string[]; reexport?: boolean },
  ): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return
    const isPackage = !specifier.text.startsWith('.')
    const to = isPackage ? packageOf(specifier.text) : resolveSource(path, specifier.text)
    file.imports.push({ to, isPackage, line: lineOf(node), reexport: false, ...found })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, {
        typeOnly: node.importClause?.isTypeOnly ?? false,
        names: importedNames(node.importClause),
      })
    } else if (ts.isExportDeclaration(node)) {
      const clause = node.exportClause
      const names =
        clause && ts.isNamedExports(clause)
          ? clause.elements.map((one) => (one.propertyName ?? one.name).text)
          : ['*']
      if (node.moduleSpecifier)
        add(node, node.moduleSpecifier, { typeOnly: node.isTypeOnly, names, reexport: true })
      else file.exports.push(...exportedNames(node).map((name) => ({ name, line: lineOf(node) })))
    } else if (ts.isImportTypeNode(node)) {
      const literal = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
      add(node, literal, {
        typeOnly: true,
        names: [node.qualifier?.getText(tree).split('.')[0] ?? '*'],
      })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], { typeOnly: false, names: ['*'] })
    } else if (ts.isExportAssignment(node)) {
      file.exports.push({ name: 'default', line: lineOf(node) })
    } else if (node.parent === tree && isExported(node)) {
      file.exports.push(...declaredNames(node).map((name) => ({ name, line: lineOf(node) })))
    }
    ts.forEachChild(node, visit)
  }
  ts.forEachChild(tree, visit)
  return file
}

function importedNames(clause: ts.ImportClause | undefined): string[] {
  if (!clause) return []
  const names = clause.name ? ['default'] : []
  const { namedBindings } = clause
  if (!namedBindings) return names
  if (ts.isNamespaceImport(namedBindings)) return [...names, '*']
  return [
    ...names,
    ...namedBindings.elements.map((element) => (element.propertyName ?? element.name).text),
  ]
}

const exportedNames = ({ exportClause }: ts.ExportDeclaration): string[] =>
  exportClause && ts.isNamedExports(exportClause)
    ? exportClause.elements.map((element) => element.name.text)
    : []

const modifiersOf = (node: ts.Node): readonly ts.Modifier[] =>
  ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
const isExported = (node: ts.Node): boolean =>
  modifiersOf(node).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)

function declaredNames(node: ts.Node): string[] {
  if (modifiersOf(node).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword))
    return ['default']
  if (ts.isVariableStatement(node))
    return node.declarationList.declarations.flatMap(({ name }) => boundNames(name))
  const { name } = node as ts.DeclarationStatement
  return name && ts.isIdentifier(name) ? [name.text] : []
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text]
  return name.elements.flatMap((element) =>
    ts.isBindingElement(element) ? boundNames(element.name) : [],
  )
}

const packageOf = (specifier: string): string =>
  specifier.startsWith('node:')
    ? specifier
    : specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')

/** The source of `./x.js`: specifiers name the compiled file. */
const resolveSource = (from: string, specifier: string): string =>
  posix.normalize(posix.join(dirname(from).split(sep).join('/'), specifier)).replace(/\.js$/, '.ts')
