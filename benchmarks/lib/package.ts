import { pathToFileURL } from 'node:url'

type Package = typeof import('../../src/index.js')
type KyselyPart = typeof import('../../src/user-stores/kysely/index.js')

/** Folder of the built package. Unset when you start a server by hand, which runs from source. */
const built = process.env.BENCH_PACKAGE
const root = built === undefined ? new URL('../..', import.meta.url) : pathToFileURL(`${built}/`)
const ending = built === undefined ? 'ts' : 'js'

export const { bearerTransport, crudAuth, memoryUsers, sessionTransport } = (await import(
  new URL(`src/index.${ending}`, root).href
)) as Package
export const { cachedStatements, kyselyUsers } = (await import(
  new URL(`src/user-stores/kysely/index.${ending}`, root).href
)) as KyselyPart
