import type { FastifyBaseLogger } from 'fastify'
import type { Passwords } from '../passwords/passwords.js'
import type { Row, Users } from '../users/users.js'
import { updateIfUnchanged } from './update-if-unchanged.js'

/**
 * Replaces an outdated hash by one of the same password, which is no other credential: nothing is revoked. Returns the row as
 * it is afterwards, or null when the password is no longer the account's.
 */
export type Rehash = (user: Row, password: string) => Promise<Row | null>

export const createRehash =
  (users: Users, passwords: Passwords, log: FastifyBaseLogger): Rehash =>
  async (user, password) => {
    let changed: Row | null
    try {
      const hashedPassword = await passwords.rehash(password, users.saltOf(user))
      // Another sign-in may have replaced it by the same hash.
      changed = await updateIfUnchanged(users, user, [], (row) =>
        users.hashOf(row) === hashedPassword ? {} : { hashedPassword },
      )
    } catch (error) {
      // Housekeeping: the password was right, and the older hash goes on being good. The code alone is logged: what the
      // database said may repeat the hash.
      log.warn(
        { code: (error as { code?: unknown } | null)?.code },
        'could not replace an old password hash; is its column long enough?',
      )
      return user
    }
    if (changed) return changed
    // The credential was changed meanwhile: then the password tells.
    const now = await users.findById(users.idOf(user))
    if (!now) return null
    const { ok } = await passwords.check(users.hashOf(now), password)
    return ok ? now : null
  }
