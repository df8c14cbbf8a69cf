import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { page, tableRows } from '../docs/documents.js'
import { generatePrismaSources } from '../helpers/generate-prisma.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'test', 'types')

/** The repository's own settings, with the package's name leading to its sources. */
function compilerOptions(): ts.CompilerOptions {
  const path = join(root, 'tsconfig.json')
  const { options, errors } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, ts.sys.readFile).config,
    ts.sys,
    root,
  )
  assert.deepEqual(errors, [])
  return {
    ...options,
    noEmit: true,
    paths: {
      'fastify-crudauth': [join(root, 'src', 'index.ts')],
      'fastify-crudauth/users/*': [join(root, 'src', 'user-stores', '*', 'index.ts')],
      'fastify-crudauth/oauth-accounts/*': [join(root, 'src', 'oauth-accounts', '*.ts')],
      'fastify-crudauth/passkeys/*': [join(root, 'src', 'passkey-stores', '*.ts')],
    },
  }
}

/** Files of the sources and their packages, read by each program and parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** The compiler's diagnostics for a text in place of a file in this folder, in its own program. */
function mistakesIn(name: string, text: string): string[] {
  const options = compilerOptions()
  const path = join(folder, name)
  const host = ts.createCompilerHost(options, true)
  const { fileExists, getSourceFile, readFile } = host
  host.fileExists = (file) => file === path || fileExists(file)
  host.readFile = (file) => (file === path ? text : readFile(file))
  host.getSourceFile = (file, ...rest) => {
    if (file === path) return getSourceFile(file, ...rest)
    if (!parsed.has(file)) parsed.set(file, getSourceFile(file, ...rest))
    return parsed.get(file)
  }
  const program = ts.createProgram([path], options, host)
  const source = program.getSourceFile(path)
  assert.ok(source)
  return [
    ...program.getGlobalDiagnostics(),
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ].map(
    ({ messageText, start = 0 }) =>
      `line ${source.getLineAndCharacterOfPosition(start).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
  )
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8')

test('interface Register types the user of principals, hooks, events and the toolbox', () => {
  const text = read('register.ts.txt')
  assert.deepEqual(mistakesIn('register.virtual.ts', text), [])
  // Without the declaration the same text is full of mistakes, so the check above can fail.
  const without = text.replace(/declare module[\s\S]*?\n}\n/, '')
  assert.notEqual(without, text)
  assert.ok(mistakesIn('register.virtual.ts', without).length > 5)
})

test('rows of Drizzle and Prisma are typed, down to the principal', async () => {
  const model = `model Account {
  id           Int     @id
  email        String  @unique
  passwordHash String?
  plan         Plan
}
enum Plan {
  free
  pro
}`
  const { folder: client } = await generatePrismaSources('postgres', model)
  const text = read('orm.ts.txt').replace('CLIENT', join(client, 'client.js'))
  assert.deepEqual(mistakesIn('orm.virtual.ts', text), [])
  const wrong = text.replaceAll("'free' | 'pro'>", "'free'>")
  assert.equal(mistakesIn('orm.virtual.ts', wrong).length, 2)
})

test('AuthErrorCode: has exactly the documented codes that a response can have', () => {
  const sent = tableRows(page('docs/errors.md')).flatMap(([code = '', status = '', when = '']) => {
    const name = /^`(\w+)`$/.exec(code)?.[1]
    return name === undefined || status === '–' || when.includes('never sent') ? [] : [name]
  })
  assert.ok(sent.length > 40, 'the codes were found')
  const union = sent.map((code) => `'${code}'`).join(' | ')
  const compares = (documented: string) => `
    import type { AuthErrorCode } from '../../src/client/index.js'
    type Documented = ${documented}
    export const missing: AuthErrorCode = 'x' as Documented
    export const invented: Documented = 'x' as AuthErrorCode`
  assert.deepEqual(mistakesIn('codes.virtual.ts', compares(union)), [])
  // A code more on either side is a mistake, so the check above can fail.
  assert.equal(mistakesIn('codes.virtual.ts', compares(`${union} | 'CRUDAUTH_NEW'`)).length, 1)
  assert.equal(
    mistakesIn('codes.virtual.ts', compares(union.replace(`'CRUDAUTH_CSRF' | `, ''))).length,
    1,
  )
})
