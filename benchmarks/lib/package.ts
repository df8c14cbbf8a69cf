import { pathToFileURL } from 'node:url'

type Package = typeof import('../../src/index.js')
type Users = typeof import('../../src/user-stores/kysely/index.js')
type State = typeof import('../../src/state/kysely/index.js')

/** Folder of the built package. Unset when you start a server by hand, which runs from source. */
const built = process.env.BENCH_PACKAGE
const root = built === undefined ? new URL('../..', import.meta.url) : pathToFileURL(`${built}/`)
const part = (name: string) =>
  import(new URL(`src/${name}index.${built === undefined ? 'ts' : 'js'}`, root).href)

export const { bearerTransport, crudAuth, memoryPasskeys, memoryUsers, sessionTransport } =
  (await part('')) as Package
export const { cachedStatements, kyselyUsers } = (await part('user-stores/kysely/')) as Users
export const { kyselyState, stateTables } = (await part('state/kysely/')) as State
