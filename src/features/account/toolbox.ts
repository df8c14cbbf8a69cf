import type { Passwords } from '../../core/passwords/passwords.js'
import type { PasswordPolicy } from '../../core/passwords/policy.js'

declare module '../../core/toolbox.js' {
  interface AuthToolbox {
    readonly passwords: PasswordsToolbox
  }
}

/** Passwords, for hand-written routes. */
export interface PasswordsToolbox {
  /** argon2id hash. @throws CRUDAUTH_OVERLOADED (503) */
  hash: Passwords['hash']
  /** False also for a malformed or unusable hash. @throws CRUDAUTH_OVERLOADED (503) */
  verify: Passwords['verify']
  /** Whether any password can ever fit the hash. */
  isUsable: Passwords['isUsable']
  /** A value for the hash of an account without a password. */
  unusable: Passwords['unusable']
  /** Judges a new password by the app's policy. @throws CRUDAUTH_BAD_REQUEST (400) saying what is wrong with it */
  validate: PasswordPolicy
}
