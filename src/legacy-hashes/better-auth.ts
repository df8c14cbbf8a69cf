import { timingSafeEqual } from 'node:crypto'
import type { LegacyVerifier } from '../ports/legacy-verifier.js'
import { isExact } from './exact.js'
import { scrypt } from './scrypt.js'

const format = /^(?:([\da-f]{32})|s2:([\da-z]{16,64})):([\da-f]{128})$/

/**
 * Verifies hashes of better-auth (`salt:key`), Lucia 3 (the same) and Lucia 2 (`s2:salt:key`):
 * scrypt over the NFKC form of the password with N = 16384, r = 16 and p = 1, a salt that is used
 * as text, and 64 bytes of key in hexadecimal.
 *
 * Source: `@better-auth/utils/password` of https://github.com/better-auth/better-auth, and
 * `packages/lucia/src/utils/crypto.ts` of https://github.com/lucia-auth/lucia.
 * @example
 * await app.register(crudAuth, { secret, users, passwords: { legacy: [betterAuthHashes] } })
 */
export const betterAuthHashes: LegacyVerifier = {
  sample: `${'0'.repeat(32)}:${'0'.repeat(128)}`,
  matches: (hash) => format.test(hash),
  async verify(hash, password) {
    const [, salt, salt2, key] = format.exec(hash) ?? []
    if (key === undefined || !isExact(password)) return false
    const cost = { N: 16_384, r: 16, p: 1 }
    const actual = await scrypt(password.normalize('NFKC'), salt ?? salt2 ?? '', 64, cost)
    return timingSafeEqual(actual, Buffer.from(key, 'hex'))
  },
}
