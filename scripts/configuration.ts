/**
 * `npm run docs:configuration`: generates `docs/configuration.md` from the TSDoc of the option
 * types, so that each option is described once. With `-- --check` it writes nothing and fails if
 * the page is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { introduction, type Section, sections } from './configuration-sections.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const pagePath = join(root, 'docs', 'configuration.md')

/** Short names that the tables show instead of TypeScript's types. */
const shortTypes: readonly (readonly [RegExp, string])[] = [
  [/^\(.*=>.*$/s, 'function'],
  [/^true$/, 'limit'],
  [/^readonly (\w+)\[\]$/, '$1[]'],
  [/^Readonly<Record<string, (\w+)>>$/, 'object of $1'],
  [/^Partial<(\w+)> \| false$|^false \| Partial<(\w+)>$/, 'object or false'],
]

function createReader() {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const entries = [
    'src/index.ts',
    ...['kysely', 'drizzle', 'prisma'].flatMap((name) => [
      `src/user-stores/${name}/index.ts`,
      `src/oauth-accounts/${name}.ts`,
      `src/passkey-stores/${name}.ts`,
    ]),
    'src/email-senders/smtp.ts',
  ].map((path) => join(root, path))
  const program = ts.createProgram(entries, { ...options, noEmit: true })
  const checker = program.getTypeChecker()

  /** Finds an interface by name, in any source. */
  function interfaceOf(name: string): ts.Symbol {
    for (const file of program.getSourceFiles()) {
      if (file.isDeclarationFile) continue
      for (const statement of file.statements) {
        if (!ts.isInterfaceDeclaration(statement) || statement.name.text !== name) continue
        const symbol = checker.getSymbolAtLocation(statement.name)
        if (symbol) return symbol
      }
    }
    throw new Error(`There is no interface ${name} in the sources`)
  }

  const textOf = (symbol: ts.Symbol) =>
    ts.displayPartsToString(symbol.getDocumentationComment(checker)).replace(/\s*\n\s*/g, ' ')

  function defaultOf(symbol: ts.Symbol): string {
    // Read from the declaration: the symbol's tags include those of the extended interface.
    const [declaration] = symbol.declarations ?? []
    const tag = declaration
      ? ts.getJSDocTags(declaration).find(({ tagName }) => tagName.text === 'defaultValue')
      : undefined
    if (tag) return (ts.getTextOfJSDocComment(tag.comment) ?? '').replace(/\s*\n\s*/g, ' ')
    const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0
    return isOptional ? '' : 'required'
  }

  function typeOf(symbol: ts.Symbol): string {
    const [declaration] = symbol.declarations ?? []
    if (!declaration || !ts.isPropertySignature(declaration) || !declaration.type) return ''
    const written = declaration.type
      .getText()
      .replace(/\s*\|\s*undefined\b|\bundefined\s*\|\s*/g, '')
      .replace(/\s+/g, ' ')
      .replace(/^\| /, '')
      .replace(/^\((\(.*)\)$/s, '$1')
    const known = shortTypes.find(([pattern]) => pattern.test(written))
    return (known ? written.replace(...known) : written).replaceAll('readonly ', '')
  }

  return {
    introductionOf: (name: string) => textOf(interfaceOf(name)),
    rowsOf(name: string, prefix: string) {
      const members = checker.getDeclaredTypeOfSymbol(interfaceOf(name)).getProperties()
      return members.map((member) => ({
        name: `${prefix}${member.name}`,
        type: typeOf(member),
        defaultValue: defaultOf(member),
        text: textOf(member),
      }))
    },
  }
}

const cell = (text: string) => text.replaceAll('|', '\\|')
/** Leaves long unions and inline objects out, because the description covers them. */
const typeCell = (type: string) =>
  type === '' || type.length > 30 || type.includes('{') ? '' : `\`${cell(type)}\``

function tableOf(reader: ReturnType<typeof createReader>, section: Section): string[] {
  const rows = section.interfaces.flatMap(([name, prefix, only]) => {
    const all = reader.rowsOf(name, prefix)
    return only ? all.filter((row) => only.includes(row.name)) : all
  })
  for (const row of rows)
    if (row.text === '') throw new Error(`The option ${row.name} has no TSDoc`)
  return [
    '| Option | Type | Default | Description |',
    '| --- | --- | --- | --- |',
    ...[...rows, ...(section.further ?? [])].map(
      ({ name, type, defaultValue, text }) =>
        `| \`${name}\` | ${typeCell(type)} | ${cell(defaultValue)} | ${cell(text)} |`,
    ),
  ]
}

function page(): string {
  const reader = createReader()
  const parts = sections.flatMap((section) => [
    `## ${section.title}`,
    '',
    ...(section.text ? [section.text, ''] : []),
    ...tableOf(reader, section),
    '',
  ])
  return `${[introduction, '', ...parts].join('\n').trimEnd()}\n`
}

const written = page()
if (!process.argv.includes('--check')) {
  writeFileSync(pagePath, written)
} else if (readFileSync(pagePath, 'utf8') !== written) {
  console.error('docs/configuration.md is out of date; run "npm run docs:configuration".')
  process.exitCode = 1
}
