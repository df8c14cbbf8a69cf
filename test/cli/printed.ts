import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { root } from '../../scripts/source-graph.js'
import { runCli } from '../helpers/cli.js'
import type { Dialect } from '../helpers/tables.js'

/** What `schema` prints. */
export async function printed(
  dialect: Dialect,
  format: 'sql' | 'kysely' | 'drizzle' | 'prisma',
  ...options: string[]
): Promise<string> {
  const args = ['schema', '--dialect', dialect, '--format', format, ...options]
  const { code, stdout, stderr } = await runCli(args)
  assert.equal(code, 0, stderr)
  assert.equal(stderr, '')
  return stdout
}

/** The statements of printed SQL. */
export const statementsOf = (text: string): string[] =>
  text
    .replace(/^--.*$/gm, '')
    .split(/;\n/)
    .map((statement) => statement.trim())
    .filter(Boolean)

/** A folder in the repository, where printed code finds its packages. */
export function scratch(t: TestContext): string {
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'cli-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs printed TypeScript, and returns its exports. */
export async function load(t: TestContext, code: string): Promise<Record<string, unknown>> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  })
  const file = join(scratch(t), 'printed.mjs')
  writeFileSync(file, outputText)
  return import(pathToFileURL(file).href)
}

export const skipWithout = (name: string): string | false =>
  existsSync(join(root, 'node_modules', name)) ? false : `${name} is not installed`
