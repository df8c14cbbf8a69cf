import { createHmac } from 'node:crypto'
import type { UserId } from '../../ports/user-store.js'
import { encodeUserId } from './user-id.js'

/** Prefix of the hash of an account without a password. Random text follows. */
export const unusablePrefix = '!'

const argonStart = '$argon2id$'
const argonSalt = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$([A-Za-z0-9+/]{11,64})\$/

/**
 * The salt for a rehash of the same password, as base64 without padding: that of the stored
 * argon2id hash, or one derived from another system's hash. The salt identifies the credential. A
 * rehash keeps it, so the credential stays the same, and concurrent rehashes produce the same hash.
 * @param owner the user's id, so that accounts with the same unsalted hash get different salts
 * @param key HMAC key. Without it, the new salt would let a thief of the table check guesses
 * quickly, for example against an unsalted MD5
 */
export const saltOf = (hash: string, owner: UserId, key: Buffer): string =>
  argonSalt.exec(hash)?.[1] ??
  createHmac('sha256', key)
    .update(`${encodeUserId(owner)} ${hash}`)
    .digest()
    .subarray(0, 16)
    .toString('base64')
    .replace(/=+$/, '')

/**
 * The part of a stored hash that identifies its credential: all before the digest of the password,
 * or the whole of an unusable hash. Null for hashes of other systems, which have no such part. The
 * format is not checked, see `containsSalt`.
 */
export const hashPrefixOf = (hash: string): string | null => {
  if (hash.startsWith(argonStart)) return hash.slice(0, hash.lastIndexOf('$') + 1)
  return hash.startsWith(unusablePrefix) ? hash : null
}

/**
 * Whether the prefix is argon2id and includes everything that `saltOf` reads. All hashes with this
 * prefix have the same salt.
 */
export const containsSalt = (head: string): boolean => argonSalt.test(head)
