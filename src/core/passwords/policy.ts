import { maxPasswordLength } from '../../../schemas/common.js'
import {
  BadRequestError,
  PasswordRejectedError,
  PasswordTooCommonError,
  PasswordTooShortError,
} from '../../errors.js'
import { isCommonPassword } from './common-passwords.js'

/** What the policy knows about the account beside the password. */
export interface PasswordContext {
  readonly email?: string | null | undefined
  readonly username?: string | null | undefined
}

/** The app's own rule: a string (told to the client) or false refuses. */
export type PasswordCheck = (
  password: string,
  context: PasswordContext,
) => string | boolean | Promise<string | boolean>

/** Judges a new password. @throws BadRequestError saying what is wrong with it */
export type PasswordPolicy = (password: string, context: PasswordContext) => Promise<void>

function refuse(reason: string): never {
  throw new BadRequestError(reason)
}

/**
 * NIST SP 800-63B-4: a least length, no composition rules, no common or context words.
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
