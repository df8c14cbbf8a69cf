import { createHash } from 'node:crypto'
import type { LegacyVerifier } from '../ports/legacy-verifier.js'
import { bcryptBasis, bcryptCompare, bcryptCostOf, bcryptSample } from './bcrypt.js'

const preHash = (password: string) => createHash('sha256').update(password).digest('base64')

/**
 * Verifies hashes of CRUDAuth for FastAPI: bcrypt over the Base64 of the SHA-256 of the password.
 * CRUDAuth 0.8 normalizes the password to NFKC before that; older versions took it as typed. Both
 * are tried.
 *
 * Needs the package `@node-rs/bcrypt` or `bcryptjs`. Can be combined with `bcryptHashes`, which
 * then refuses passwords in the form of a Base64 SHA-256: such a digest from a leak elsewhere must
 * not sign in.
 *
 * Source: `crudauth/utils/hashing.py` of https://github.com/benavlabs/crudauth.
 * @throws CRUDAUTH_CONFIG at registration if neither package is installed
 * @example
 * await app.register(crudAuth, { secret, users, passwords: { legacy: [crudauthHashes] } })
 */
export const crudauthHashes: LegacyVerifier = {
  ...bcryptBasis,
  sample: bcryptSample(12),
  looksPreHashed: (password) => /^[A-Za-z\d+/]{43}=$/.test(password),
  async verify(hash, password) {
    if (bcryptCostOf(hash) === null || password === '') return false
    let fits = false
    // The number of hashes must depend on the password alone, so nothing ends the loop early.
    for (const text of new Set([password.normalize('NFKC'), password]))
      fits = (await bcryptCompare(preHash(text), hash)) || fits
    return fits
  },
}
