/** What goes wrong with passkeys, in the browser and at the server, as errors to show. */

import { AuthError } from 'fastify-crudauth/client'

const codes = {
  NotAllowedError: 'PASSKEY_NOT_USED',
  InvalidStateError: 'PASSKEY_KNOWN',
  SecurityError: 'PASSKEY_ELSEWHERE',
}

/** Texts for codes that say something else about passwords, codes and sessions. */
const texts = {
  CRUDAUTH_BAD_CREDENTIALS: 'No account here accepts that passkey. It may have been removed.',
  CRUDAUTH_MFA_CODE: 'That passkey was not accepted. Use one of this account.',
  CRUDAUTH_NOT_FOUND: 'That passkey has been removed already.',
  CRUDAUTH_LAST_SIGN_IN_METHOD:
    'This passkey is your only way to sign in. Set a password first, then remove it.',
  CRUDAUTH_FORBIDDEN:
    'Accounts here need a second factor, and this passkey is yours. Set up another one first.',
}

/** Runs an action with passkeys. @throws AuthError also for what the browser refuses */
export async function withPasskey(action) {
  try {
    return await action()
  } catch (error) {
    if (error instanceof DOMException)
      throw new AuthError(error.message, 0, codes[error.name] ?? 'PASSKEY_FAILED', null)
    // None of the fields is at fault.
    throw Object.assign(error, { isOfPasskey: error.code in texts, text: texts[error.code] })
  }
}
