import type { FastifyBaseLogger } from 'fastify'
import type { Passwords } from '../passwords/passwords.js'
import type { Row, Users } from '../users/users.js'
import { updateIfUnchanged } from './update-if-unchanged.js'

/**
 * Replaces an outdated hash with a new hash of the same password. The credential stays the same, so
 * nothing is revoked. Returns the updated row, or null if the password is no longer the account's.
 */
export type Rehash = (user: Row, password: string) => Promise<Row | null>

export const createRehash =
  (users: Users, passwords: Passwords, log: FastifyBaseLogger): Rehash =>
  async (user, password) => {
    let changed: Row | null
    try {
      const hashedPassword = await passwords.rehash(password, users.saltOf(user))
      // A concurrent sign-in may have stored the same hash already.
      changed = await updateIfUnchanged(users, user, [], (row) =>
        users.hashOf(row) === hashedPassword ? {} : { hashedPassword },
      )
    } catch (error) {
      // The password was right and the old hash still works, so the sign-in goes on. Only the code
      // is logged: the database's message may contain the hash.
      log.warn(
        { code: (error as { code?: unknown } | null)?.code },
        'could not replace an old password hash; is its column long enough?',
      )
      return user
    }
    if (changed) return changed
    // The credential changed in the meantime, so check the password against the new one.
    const now = await users.findById(users.idOf(user))
    if (!now) return null
    const { ok } = await passwords.check(users.hashOf(now), password)
    return ok ? now : null
  }
