/** Texts for error codes, where the server's message isn't meant for users. */

import { retryIn } from './time.js'

const texts = {
  OFFLINE: 'The server cannot be reached. Is the demo still running?',
  COOKIE_REFUSED:
    'This browser did not keep the cookie. Open http://localhost, or start the demo with COOKIE_SECURE=0.',
  NO_TOKEN: 'The link is not complete.',
  NOT_COPIED: 'The browser did not copy the codes.',
  PASSKEY_NOT_USED: 'No passkey was used: it was canceled, took too long, or there is none here.',
  PASSKEY_KNOWN: 'This device has a passkey of your account already.',
  PASSKEY_ELSEWHERE: 'Passkeys belong to one host. Open http://localhost, as the demo printed it.',
  PASSKEY_FAILED: 'The browser could not use a passkey.',
  CRUDAUTH_BAD_CREDENTIALS: 'No account has that name and password.',
  CRUDAUTH_WRONG_PASSWORD: 'That is not your password.',
  CRUDAUTH_UNAUTHENTICATED: 'You are no longer signed in.',
  CRUDAUTH_SUDO_REQUIRED: 'Nothing was changed, because you did not confirm that it’s you.',
  CRUDAUTH_MFA_CODE: 'That code is wrong, has expired, or was used before.',
  CRUDAUTH_FRESH_SIGN_IN_REQUIRED:
    'You signed in too long ago for this. Sign out, sign in again, and repeat it.',
  CRUDAUTH_NOT_FOUND: 'That session has ended already.',
  CRUDAUTH_TOKEN_INVALID_OR_USED:
    'This link has been used, has expired, or was replaced by a newer one.',
  CRUDAUTH_LOCKED_OUT: 'Too many wrong passwords or codes.',
  CRUDAUTH_RATE_LIMITED: 'Too many requests.',
  CRUDAUTH_CSRF: 'The page is out of date. Reload it and try again.',
  CRUDAUTH_CROSS_SITE: 'The sign-in came from another site.',
  CRUDAUTH_UNAVAILABLE: 'The service is temporarily unavailable.',
  CRUDAUTH_OVERLOADED: 'The service is busy.',
  // In the URL, after a sign-in with a provider.
  oauth_failed:
    'The provider did not sign you in: it was refused there, or something failed. Try again.',
  invalid_state: 'That sign-in has expired, or was started in another browser. Start again.',
  email_missing: 'The provider gave no email, and an account here needs one.',
  email_unverified:
    'There is an account with that email. Sign in to it with your password, and link the provider there.',
  provider_already_linked:
    'The account with that email is linked to another account at this provider.',
  account_inactive: 'That account is disabled.',
  access_denied: 'That account may not sign in here.',
  oauth_linked_elsewhere:
    'That account at the provider belongs to another account here. Sign in with it, and unlink it there first.',
}

/** Whether a code in a URL is one of those of a sign-in. Anyone can write a code there. */
export const isLandingCode = (code) => /^[a-z_]+$/.test(code) && Object.hasOwn(texts, code)

const sentence = (message) => `${message}.`.replace(/([.!?])\.$/, '$1')

/** The text to show for an error: its own, ours for its code, or else the server's message. */
export function textOf({ code, message, retryAfter, text: own }) {
  const text = own ?? texts[code] ?? sentence(message)
  return retryAfter ? `${text} ${retryIn(retryAfter)}` : text
}
