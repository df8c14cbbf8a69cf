import type { Row, Users } from '../../core/users/users.js'
import type { PurposeKeys } from '../../crypto/keys.js'
import { createSeal } from '../../crypto/seal.js'

/** A decrypted TOTP secret. */
interface OpenedSecret {
  readonly secret: string
  /** Whether an older key encrypted it. */
  readonly isOutdated: boolean
}

/**
 * Encrypts TOTP secrets for the users table. The user's id is associated data of the encryption, so
 * a value that was copied to another row doesn't decrypt.
 */
export interface TotpSecrets {
  seal(user: Row, secret: string): string
  /** Null for a value that none of the keys decrypts. */
  open(user: Row, sealed: string): OpenedSecret | null
}

/** @param keys the first one encrypts, all of them decrypt */
export function createTotpSecrets(users: Users, keys: PurposeKeys): TotpSecrets {
  const [currentKey, anyKey] = [createSeal([keys[0]]), createSeal(keys)]
  // The id as text: with another setting, a driver may return the same number as a string.
  const contextOf = (user: Row) => `totp ${users.idOf(user)}`
  return {
    seal: (user, secret) => currentKey.seal(secret, contextOf(user)),
    open(user, sealed) {
      const secret = anyKey.open(sealed, contextOf(user))
      if (secret === null) return null
      return { secret, isOutdated: currentKey.open(sealed, contextOf(user)) === null }
    },
  }
}
