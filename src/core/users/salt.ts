import { createHmac } from 'node:crypto'
import type { UserId } from '../../ports/user-store.js'
import { encodeUserId } from './user-id.js'

/** Begins the hash of an account that has no password; what follows is random. */
export const unusablePrefix = '!'

const argonStart = '$argon2id$'
const argonSalt = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$([A-Za-z0-9+/]{11,64})\$/

/**
 * The salt of a stored hash, as base64 without padding, or one derived from a hash of another system. A hash that is
 * replaced without a change of the password gets the salt of the one before: what tells two credentials apart is the salt,
 * so a rehash is no new credential, and however many sign-ins replace a hash at once, all make the same one.
 * @param owner the user's id, so that accounts that share an unsalted hash do not share a salt
 * @param key without it the new salt would let a thief of the table check guesses quickly, for an unsalted MD5 for example
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
 * The part of a stored hash that says which credential it is of: all before the digest of the password, or a whole one that
 * is of no password. Null for hashes of other systems, of which no part does. Cut out without looking: see `containsSalt`.
 */
export const hashPrefixOf = (hash: string): string | null => {
  if (hash.startsWith(argonStart)) return hash.slice(0, hash.lastIndexOf('$') + 1)
  return hash.startsWith(unusablePrefix) ? hash : null
}

/** Whether the head is one of argon2id with all that `saltOf` looks at: every hash that begins with it has that salt. */
export const containsSalt = (head: string): boolean => argonSalt.test(head)
