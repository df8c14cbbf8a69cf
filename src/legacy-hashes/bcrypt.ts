import type { LegacyVerifier } from '../ports/legacy-verifier.js'
import { isExact } from './exact.js'
import { loadBcrypt } from './load-bcrypt.js'

/**
 * Costs from 4 to 14. A higher one would occupy a core for seconds at each attempt. The revision
 * `$2x$` marks hashes of an implementation with a bug.
 */
const format = /^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z\d]{53}$/

/** The cost of a bcrypt hash, such as `12`. Null for anything else. */
export const bcryptCostOf = (hash: string): string | null => format.exec(hash)?.[1] ?? null

/** A bcrypt hash of no known password. */
export const bcryptSample = (cost: number): string => `$2b$${cost}$${'.'.repeat(53)}`

/** What all verifiers of bcrypt hashes share. */
export const bcryptBasis = {
  matches: (hash: string) => bcryptCostOf(hash) !== null,
  cost: (hash: string) => bcryptCostOf(hash) ?? '',
  prepare: async () => void (await loadBcrypt()),
} satisfies Partial<LegacyVerifier>

/** Compares without a timing side channel; both packages do. */
export const bcryptCompare = async (text: string, hash: string): Promise<boolean> =>
  (await loadBcrypt()).compare(text, hash)

/**
 * Verifies bcrypt hashes of the password itself: `$2a$`, `$2b$` and `$2y$` with a cost from 4 to
 * 14, as bcrypt, bcryptjs, PHP's `password_hash` and Devise without a pepper make them.
 *
 * Needs the package `@node-rs/bcrypt` or `bcryptjs`. bcrypt compares the first 72 bytes: a longer
 * password signs in, and its hash stays until the user changes the password.
 *
 * Source: Provos and Mazières, "A Future-Adaptable Password Scheme", USENIX 1999.
 * @throws CRUDAUTH_CONFIG at registration if neither package is installed
 * @example
 * await app.register(crudAuth, { secret, users, passwords: { legacy: [bcryptHashes] } })
 */
export const bcryptHashes: LegacyVerifier = {
  ...bcryptBasis,
  sample: bcryptSample(10),
  maxBytes: 72,
  async verify(hash, password) {
    return bcryptCostOf(hash) !== null && isExact(password) && bcryptCompare(password, hash)
  },
}
