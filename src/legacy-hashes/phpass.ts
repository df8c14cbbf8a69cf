import { createHmac, hash as hashOnce } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { equalConstantTime } from '../crypto/compare.js'
import type { LegacyVerifier } from '../ports/legacy-verifier.js'
import { bcryptBasis, bcryptCompare, bcryptCostOf, bcryptSample } from './bcrypt.js'

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** From 2^7 (`5`) to 2^17 (`F`) rounds. WordPress makes 2^13, phpBB 2^11. */
const portable = /^\$[PH]\$([5-9A-F])([./A-Za-z\d]{8})[./A-Za-z\d]{22}$/
/** Rounds without a pause. They take a few milliseconds on the main thread. */
const slice = 4096

const md5 = (bytes: Buffer | string): Buffer => hashOnce('md5', bytes, 'buffer')

/** The base64 of crypt(3): from the lowest bits up, without padding. */
function encode(bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const count = Math.min(3, bytes.length - at)
    const group = bytes.readUIntLE(at, count)
    for (let digit = 0; digit <= count; digit++) text += alphabet[(group >> (6 * digit)) & 63]
  }
  return text
}

async function verifyPortable(hash: string, password: string): Promise<boolean> {
  const [, count = '', salt = ''] = portable.exec(hash) ?? []
  const bytes = Buffer.from(password)
  const input = Buffer.concat([md5(salt + password), bytes])
  const rounds = 2 ** alphabet.indexOf(count)
  for (let round = 1; round <= rounds; round++) {
    md5(input).copy(input)
    if (round % slice === 0) await nextTurn()
  }
  return equalConstantTime(hash.slice(0, 12) + encode(input.subarray(0, 16)), hash)
}

/** The bcrypt hash in `$wp$2y$…`; null for anything else. */
function bcryptOf(hash: string): string | null {
  const inner = hash.slice(3)
  return hash.startsWith('$wp$2y$') && bcryptCostOf(inner) !== null ? inner : null
}

/** WordPress keeps all of a long password by hashing it first. */
const preHash = (password: string) =>
  createHmac('sha384', 'wp-sha384').update(password).digest('base64')

const costOf = (hash: string): string => {
  const inner = bcryptOf(hash)
  return inner === null ? `phpass ${portable.exec(hash)?.[1]}` : `bcrypt ${bcryptCostOf(inner)}`
}

/**
 * Verifies the portable hashes of phpass (`$P$…` and `$H$…`: WordPress before 6.8 and many PHP
 * applications) with up to 2^17 rounds, and those of WordPress 6.8 and later (`$wp$2y$…`: bcrypt
 * over an HMAC-SHA-384). Add `bcryptHashes` if a plugin has stored plain `$2y$…`.
 *
 * Needs the package `@node-rs/bcrypt` or `bcryptjs`. WordPress removes spaces around a password;
 * here they count, so that they count in the new hash. phpBB replaces `&`, `<`, `>` and `"` with
 * HTML entities before it hashes; passwords with these characters need a reset.
 *
 * Source: https://www.openwall.com/phpass/ and `wp_check_password` of
 * https://github.com/WordPress/wordpress-develop.
 * @throws CRUDAUTH_CONFIG at registration if neither package is installed
 * @example
 * await app.register(crudAuth, { secret, users, passwords: { legacy: [phpassHashes] } })
 */
export const phpassHashes: LegacyVerifier = {
  sample: `$wp${bcryptSample(10).replace('$2b$', '$2y$')}`,
  prepare: bcryptBasis.prepare,
  cost: costOf,
  matches: (hash) => portable.test(hash) || bcryptOf(hash) !== null,
  async verify(hash, password) {
    if (password === '') return false
    if (portable.test(hash)) return verifyPortable(hash, password)
    const inner = bcryptOf(hash)
    return inner !== null && bcryptCompare(preHash(password), inner)
  },
}
