import { maxPasswordLength } from '../../../schemas/common.js'
import {
  BadRequestError,
  PasswordRejectedError,
  PasswordTooCommonError,
  PasswordTooShortError,
} from '../../errors.js'
import { isCommonPassword } from './common-passwords.js'

/** Account data that the policy compares the password with. */
export interface PasswordContext {
  readonly email?: string | null | undefined
  readonly username?: string | null | undefined
}

/**
 * The app's own rule. Returning `false` or a string refuses the password; the client sees the
 * string.
 */
export type PasswordCheck = (
  password: string,
  context: PasswordContext,
) => string | boolean | Promise<string | boolean>

/**
 * Checks a new password.
 * @throws PasswordTooShortError, PasswordTooCommonError, PasswordRejectedError, BadRequestError
 */
export type PasswordPolicy = (password: string, context: PasswordContext) => Promise<void>

function refuse(reason: string): never {
  throw new BadRequestError(reason)
}

/**
 * Password policy after NIST SP 800-63B-4: a minimum length, no composition rules, no common
 * passwords, no email or username as the password.
 * @param minLength in code points of the NFC form
 */
export function createPasswordPolicy(
  minLength: number,
  check: PasswordCheck | undefined,
): PasswordPolicy {
  return async (raw, context) => {
    const password = raw.normalize('NFC')
    const { length } = [...password]
    if (/\p{Surrogate}/u.test(password))
      refuse('The password contains half of a surrogate pair, which is not a character')
    if (length < minLength) throw new PasswordTooShortError(String(minLength))
    if (length > maxPasswordLength)
      refuse(`The password must have at most ${maxPasswordLength} characters`)
    if (isCommonPassword(password))
      throw new PasswordTooCommonError(
        'The password is one of the most common ones; choose another',
      )
    const folded = password.toLowerCase()
    for (const word of [context.email, context.email?.split('@')[0], context.username]) {
      if (typeof word === 'string' && folded === word.toLowerCase())
        throw new PasswordTooCommonError('The password must not be the email or username')
    }
    const verdict = await check?.(password, context)
    if (verdict === false || typeof verdict === 'string')
      throw new PasswordRejectedError(
        verdict === false ? 'The password is not acceptable; choose another' : verdict,
      )
  }
}
