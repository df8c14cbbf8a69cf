import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../../scripts/source-graph.js'

/** Where the test runner has compiled the sources; absent when a file is run by itself. */
const compiled = process.env.CRUDAUTH_TEST_COMPILED

/** A module of the product, for a process that a test starts with `nodeFlags`. @param path of the source, below the root */
export const moduleUrl = (path: string): string =>
  pathToFileURL(
    compiled === undefined ? join(root, path) : join(compiled, path.replace(/\.ts$/, '.js')),
  ).href

/** What Node needs to load such a module. */
export const nodeFlags: readonly string[] = compiled === undefined ? ['--import', 'tsx'] : []

/** The command that starts a source, compiled where it can be. */
export const commandFor = (command: readonly string[]): string[] => {
  const script = command.findIndex((word) => word.endsWith('.ts'))
  if (compiled === undefined || script < 0) return [...command]
  const [program = '', ...words] = command
  const path = join(compiled, (command[script] as string).replace(/\.ts$/, '.js'))
  return [program, path, ...words.slice(script)]
}
