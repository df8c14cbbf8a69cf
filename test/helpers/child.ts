import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../../scripts/source-graph.js'

/** Folder of the sources that the test runner compiled. Unset when a test file runs on its own. */
const compiled = process.env.CRUDAUTH_TEST_COMPILED

/**
 * URL of one of our modules, for a process that a test starts with `nodeFlags`.
 * @param path path of the source, relative to the repository
 */
export const moduleUrl = (path: string): string =>
  pathToFileURL(
    compiled === undefined ? join(root, path) : join(compiled, path.replace(/\.ts$/, '.js')),
  ).href

/** The flags that Node needs to load such a module. */
export const nodeFlags: readonly string[] = compiled === undefined ? ['--import', 'tsx'] : []

/** Replaces the source in a command with its compiled file, if there is one. */
export const commandFor = (command: readonly string[]): string[] => {
  const script = command.findIndex((word) => word.endsWith('.ts'))
  if (compiled === undefined || script < 0) return [...command]
  const [program = '', ...words] = command
  const path = join(compiled, (command[script] as string).replace(/\.ts$/, '.js'))
  return [program, path, ...words.slice(script)]
}
