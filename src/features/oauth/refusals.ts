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

/** Refusals of the callback by their code in `?error=`. */
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

/** The `?error=` code of a refusal; null for any other error. */
export function errorOfRefusal(error: unknown): string | null {
  for (const [word, Refusal] of Object.entries(refusals)) if (error instanceof Refusal) return word
  return null
}

/**
 * Awaits a hook that may refuse the sign-in.
 * @throws OAuthAccessDeniedError for a refusal; errors without a status, or with 500 or more,
 * unchanged
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
