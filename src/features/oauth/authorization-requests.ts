import { equalConstantTime } from '../../crypto/compare.js'
import { sha256 } from '../../crypto/digest.js'
import { randomToken } from '../../crypto/random.js'
import type { Seal } from '../../crypto/seal.js'
import { BadRequestError } from '../../errors.js'
import { orUnavailable } from '../../lib/unavailable.js'
import type { OneTimeStore } from '../../ports/one-time-store.js'

/** A sign-in that is under way at a provider. */
export interface OAuthAttempt {
  readonly provider: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly redirectTo?: string | undefined
  readonly rememberMe: boolean
  /**
   * Where the session stands that began it, if there was one: the browser may withhold its cookie when the provider sends it
   * back (`SameSite=Strict`).
   */
  readonly began?: { readonly tag: string; readonly handle: string } | undefined
  /** Set where the signed-in account gets a link: its encoded id and its credential epoch. */
  readonly link?: { readonly user: string; readonly epoch: string } | undefined
}

/** What is kept with an attempt. */
interface Kept extends OAuthAttempt {
  readonly key: string
  /** Digest of the browser's secret. */
  readonly browser: string
}

/** Attempts, each bound to a provider and a browser and ended by one callback. Throws `UnavailableError` (503) in an outage. */
export interface AuthorizationRequests {
  /** @param browser secret of the browser's cookie */
  begin(
    browser: string,
    attempt: Omit<OAuthAttempt, 'nonce' | 'codeVerifier'>,
  ): Promise<OAuthAttempt & { readonly state: string }>
  /** @throws BadRequestError for a state that is missing, unknown, used, of another provider or of another browser */
  end(state: string | null, provider: string, browser: string | null): Promise<OAuthAttempt>
}

/** Seconds that a browser may stay at the provider. */
export const attemptSeconds = 600

const refuse = () =>
  new BadRequestError(
    'The sign-in has expired, has been used, or was begun in another browser; begin it again',
  )

const keyOf = (state: string) => sha256(`oauth ${state}`)

export function createAuthorizationRequests(
  store: OneTimeStore,
  { seal, open }: Seal,
): AuthorizationRequests {
  return {
    async begin(browser, attempt) {
      const state = randomToken()
      const whole: OAuthAttempt = { ...attempt, nonce: randomToken(), codeVerifier: randomToken() }
      const key = keyOf(state)
      const kept: Kept = { ...whole, key, browser: sha256(browser) }
      await orUnavailable(store.put(key, seal(JSON.stringify(kept)), attemptSeconds * 1000))
      return { ...whole, state }
    },

    async end(state, provider, browser) {
      if (state === null || browser === null) throw refuse()
      const key = keyOf(state)
      const sealed = await orUnavailable(store.peek(key))
      const text = sealed === null ? null : open(sealed)
      if (text === null) throw refuse()
      const kept = JSON.parse(text) as Kept
      // Judged before it is taken: a foreign browser must not use it up.
      if (
        kept.key !== key ||
        kept.provider !== provider ||
        !equalConstantTime(kept.browser, sha256(browser))
      )
        throw refuse()
      if ((await orUnavailable(store.take(key))) === null) throw refuse()
      return kept
    },
  }
}
