import {
  OAuthAccessDeniedError,
  OAuthAccountInactiveError,
  OAuthEmailMissingError,
  OAuthEmailUnverifiedError,
  OAuthFailedError,
  OAuthInvalidStateError,
  OAuthLinkedElsewhereError,
  OAuthProviderAlreadyLinkedError,
} from '../../errors.js'

/** Every refusal of a callback, by the word that the landing page finds in `?error=`. */
export const refusals = Object.freeze({
  invalid_state: OAuthInvalidStateError,
  oauth_failed: OAuthFailedError,
  email_missing: OAuthEmailMissingError,
  email_unverified: OAuthEmailUnverifiedError,
  provider_already_linked: OAuthProviderAlreadyLinkedError,
  oauth_linked_elsewhere: OAuthLinkedElsewhereError,
  account_inactive: OAuthAccountInactiveError,
  access_denied: OAuthAccessDeniedError,
})

/** The word for a refusal; null for any other error. */
export function refusalWord(error: unknown): string | null {
  for (const [word, Refusal] of Object.entries(refusals)) if (error instanceof Refusal) return word
  return null
}

/**
 * Runs what the app may refuse a sign-in by.
 * @throws OAuthAccessDeniedError for a refusal; an error of the app's with a status from 500 on, as it is
 */
export async function orDenied<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    const status = (error as { statusCode?: unknown } | null)?.statusCode
    if (typeof status !== 'number' || status >= 500) throw error
    throw new OAuthAccessDeniedError({ cause: error })
  }
}
