import { createHash } from 'node:crypto'

const argonSalt = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$([A-Za-z0-9+/]{11,64})\$/

/**
 * The salt of a stored hash, as base64, or one derived from a hash of another system. A hash that is replaced without a
 * change of the password gets the salt of the one before: what tells two credentials apart is the salt, so a rehash is no
 * new credential, and however many sign-ins replace a hash at once, all make the same one.
 * @param owner the user's encoded id, so that accounts that share an unsalted hash do not share a salt
 */
export const saltOf = (hash: string, owner: string): string =>
  argonSalt.exec(hash)?.[1] ?? createHash('sha256').update(`${owner} ${hash}`).digest().subarray(0, 16).toString('base64')
