import { equalConstantTime } from '../../crypto/compare.js'
import { sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { OAuthInvalidStateError } from '../../errors.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'

/** A sign-in with a provider that is in progress. */
export interface AuthorizationRequest {
  readonly provider: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly redirectTo?: string | undefined
  readonly rememberMe: boolean
  /**
   * The session that started it, if there was one. The browser may withhold its cookie in the
   * callback (`SameSite=Strict`), so it is remembered here.
   */
  readonly startedIn?: { readonly tag: string; readonly handle: string } | undefined
  /**
   * When that session authenticated, in milliseconds, if it was live. A silent sign-in doesn't make
   * it fresher.
   */
  readonly signedInAtMs?: number | undefined
  /** Set to link the signed-in account: its encoded id and its credential epoch. */
  readonly link?: { readonly user: string; readonly epoch: string } | undefined
}

/** An attempt as it is stored. */
interface Kept extends AuthorizationRequest {
  readonly key: string
  /** Digest of the browser's secret. */
  readonly browser: string
}

/**
 * Attempts, each bound to one provider and one browser, and valid for one callback. Throws
 * `UnavailableError` (503) in an outage.
 */
export interface AuthorizationRequests {
  /** @param browser secret in the browser's cookie */
  begin(
    browser: string,
    attempt: Omit<AuthorizationRequest, 'nonce' | 'codeVerifier'>,
  ): Promise<AuthorizationRequest & { readonly state: string }>
  /**
   * Consumes the attempt.
   * @throws OAuthInvalidStateError if `state` is missing, unknown, used, or of another provider or
   * browser
   */
  end(state: string | null, provider: string, browser: string | null): Promise<AuthorizationRequest>
}

/** Lifetime of an attempt in seconds: how long the browser may stay at the provider. */
export const attemptSeconds = 600

const keyOf = (state: string) => sha256(`oauth ${state}`)

export function createAuthorizationRequests(
  store: OneTimeStore,
  { seal, open }: Seal,
): AuthorizationRequests {
  return {
    async begin(browser, attempt) {
      const state = randomToken()
      const whole: AuthorizationRequest = {
        ...attempt,
        nonce: randomToken(),
        codeVerifier: randomToken(),
      }
      const key = keyOf(state)
      const kept: Kept = { ...whole, key, browser: sha256(browser) }
      await orUnavailable(store.put(key, seal(JSON.stringify(kept)), attemptSeconds * 1000))
      return { ...whole, state }
    },

    async end(state, provider, browser) {
      if (state === null || browser === null) throw new OAuthInvalidStateError()
      const key = keyOf(state)
      const sealed = await orUnavailable(store.peek(key))
      const text = sealed === null ? null : open(sealed)
      if (text === null) throw new OAuthInvalidStateError()
      const kept = JSON.parse(text) as Kept
      // Checked before it is consumed: another browser must not be able to use it up.
      if (
        kept.key !== key ||
        kept.provider !== provider ||
        !equalConstantTime(kept.browser, sha256(browser))
      )
        throw new OAuthInvalidStateError()
      if ((await orUnavailable(store.take(key))) === null) throw new OAuthInvalidStateError()
      return kept
    },
  }
}
