import { ConfigError } from '../errors.js'

/** The part of the bcrypt packages that we use. */
interface Bcrypt {
  compare(password: string, hash: string): Promise<boolean>
}

/** What `import()` returns: CommonJS packages may have their functions in `default` only. */
type Loaded = Partial<Bcrypt> & { readonly default?: Partial<Bcrypt> }

/** In order of preference: the first one computes in the thread pool. */
const packages: readonly (() => Promise<unknown>)[] = [
  () => import('@node-rs/bcrypt'),
  () => import('bcryptjs'),
]

async function load(): Promise<Bcrypt> {
  const causes: unknown[] = []
  for (const importPackage of packages) {
    try {
      const loaded = (await importPackage()) as Loaded
      const compare = loaded.compare ?? loaded.default?.compare
      if (compare) return { compare }
    } catch (cause) {
      // Not installed, or without a binary for this platform.
      causes.push(cause)
    }
  }
  throw new ConfigError(
    '"passwords.legacy" has a verifier of bcrypt hashes, which needs the package ' +
      '"@node-rs/bcrypt" or "bcryptjs"; install one: npm install @node-rs/bcrypt',
    { cause: new AggregateError(causes) },
  )
}

let bcrypt: Promise<Bcrypt> | undefined

/**
 * Loads a bcrypt package on demand, so that apps without bcrypt hashes need none.
 * @throws ConfigError if no package is installed
 */
export const loadBcrypt = (): Promise<Bcrypt> => {
  bcrypt ??= load()
  return bcrypt
}
