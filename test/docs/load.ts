import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { sourcePaths } from './compile.js'
import { blocksOf, pages, root } from './documents.js'

/** Where a loaded example finds what it takes for granted: by the names in its comment, and what it only declares. */
const scope = globalThis as unknown as Record<string, unknown>

/**
 * Runs an example unchanged, by its name (`<!-- with: app; name: websocket -->`), in this process.
 * @param given what the comment's `with` names, and the functions that the example declares without a body
 * @returns what it exports
 */
export async function runExample(
  t: TestContext,
  name: string,
  given: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const [block, ...others] = pages.flatMap(blocksOf).filter(({ marks }) => marks.name === name)
  if (!block || others.length > 0)
    throw new Error(`one example, and one alone, must have the name "${name}"`)
  let code = block.code
  for (const [entry, [path = '']] of Object.entries(sourcePaths()))
    code = code.replaceAll(`'${entry}'`, `'${pathToFileURL(path)}'`)

  // Below the repository, where its packages are found; ignored by git.
  mkdirSync(join(root, '.tmp'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tmp', 'example-'))
  const before = { ...scope }
  Object.assign(scope, given)
  t.after(() => {
    rmSync(folder, { recursive: true, force: true })
    for (const key of Object.keys(given)) if (scope[key] === given[key]) scope[key] = before[key]
  })
  const file = join(folder, 'example.ts')
  writeFileSync(file, `${code}\nexport {}\n`)
  return import(pathToFileURL(file).href)
}
