import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    /** Password hashing and rules. */
    readonly passwords: PasswordsToolbox
  }
}

/** Password hashing and rules: `app.crudAuth.passwords`. */
export interface PasswordsToolbox {
  /**
   * Hashes a password with argon2id.
   * @throws CRUDAUTH_OVERLOADED (503)
   */
  hash: Passwords['hash']
  /**
   * Verifies a password. False for a malformed or unusable hash.
   * @throws CRUDAUTH_OVERLOADED (503)
   */
  verify: Passwords['verify']
  /** Whether any password can match the hash. */
  isUsable: Passwords['isUsable']
  /** A hash value for accounts without a password. */
  unusable: Passwords['unusable']
  /**
   * Checks a new password against the rules.
   * @throws CRUDAUTH_PASSWORD_TOO_SHORT, CRUDAUTH_PASSWORD_TOO_COMMON, CRUDAUTH_PASSWORD_REJECTED
   * and CRUDAUTH_BAD_REQUEST (400)
   */
  validate: PasswordPolicy
}
