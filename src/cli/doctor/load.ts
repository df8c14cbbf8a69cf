import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { UsageError } from '../usage.js'
import { within } from './within.js'

const loadMs = 60_000

/**
 * The path of the app.
 * @throws UsageError if there is no such file
 */
export function pathOfApp(given: string): string {
  const path = resolve(given)
  if (!existsSync(path) || !statSync(path).isFile())
    throw new UsageError(
      `There is no file "${path}"; name the file that exports your app: fastify-crudauth doctor ./app.js`,
    )
  return path
}

const isInstance = (value: unknown): value is FastifyInstance =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { ready?: unknown }).ready === 'function' &&
  typeof (value as { inject?: unknown }).inject === 'function'

const membersOf = (value: unknown): Record<string, unknown> =>
  value !== null && (typeof value === 'object' || typeof value === 'function')
    ? (value as Record<string, unknown>)
    : {}

/** What may be the app or makes it. A CommonJS module has its exports in `default`. */
function candidates(exports: Record<string, unknown>): unknown[] {
  const inner = membersOf(exports.default)
  return [exports.default, inner.default, exports.build, inner.build]
}

async function importApp(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    const { code } = membersOf(error)
    if (code !== 'ERR_UNKNOWN_FILE_EXTENSION' || !/\.[cm]?tsx?$/.test(path)) throw error
    throw new UsageError(
      `This Node (${process.version}) doesn't load TypeScript; install tsx and run: NODE_OPTIONS="--import tsx" npx fastify-crudauth doctor <file>`,
    )
  }
}

/** An instance is a promise of itself, so a promise can't have it as its value. */
type Loaded = { readonly app: FastifyInstance }

/**
 * Loads the app: the default export, an instance or a function that makes one, or the export
 * `build`.
 * @throws UsageError if the file can't be an app; else what the app throws
 */
export async function loadApp(path: string): Promise<Loaded> {
  const exports = await within(loadMs, 'Loading the app', () => importApp(path))
  const found = candidates(exports)
  const instance = found.find(isInstance)
  if (instance) return { app: instance }
  const make = found.find((value) => typeof value === 'function') as (() => unknown) | undefined
  if (!make)
    throw new UsageError(
      `"${path}" exports no app; export the instance as default ("export default app"), or a function "build" that returns it`,
    )
  const { made } = await within(loadMs, 'Making the app', async () => {
    const made = make()
    return { made: isInstance(made) ? [made] : [await made] }
  })
  const [app] = made
  if (isInstance(app)) return { app }
  throw new UsageError(
    'The exported function returned no Fastify instance; it must make the app without arguments and return it',
  )
}
