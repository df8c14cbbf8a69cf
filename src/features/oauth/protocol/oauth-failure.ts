/** Why a sign-in failed on the provider's side. A closed list, for logs and counters. */
type FailureReason =
  /** The user declined. */
  | 'declined'
  | 'missing_code'
  /** The callback's `state` is not the one of this sign-in. */
  | 'bad_state'
  /** Metadata, callback or ID token names another issuer. */
  | 'bad_issuer'
  /** The provider returned an OAuth error: in the callback, with a 4xx or in a 200. */
  | 'provider_error'
  | 'http_error'
  | 'redirected'
  | 'timeout'
  | 'too_large'
  /** Not JSON, or not the expected JSON. */
  | 'malformed'
  | 'bad_id_token'
  /**
   * No usable user id (missing, empty, too long or of a wrong type), or userinfo of another user.
   */
  | 'bad_subject'
  | 'blocked_address'
  /** http instead of https. */
  | 'insecure_url'
  | 'unreachable'
  /**
   * The function for the client secret failed. Its error is dropped, because it handles secrets.
   */
  | 'bad_client'
  /** The provider's `mapProfile` threw or didn't return an object. */
  | 'bad_profile'

/** Which part of the exchange failed. */
type FailureStep =
  | 'discovery'
  | 'authorization'
  | 'token'
  | 'id_token'
  | 'keys'
  | 'userinfo'
  | 'emails'
  | 'profile'

interface FailureDetails {
  readonly step?: FailureStep | undefined
  readonly status?: number | undefined
  readonly detail?: string | undefined
  readonly cause?: unknown
}

/**
 * A sign-in that failed on the provider's side. Safe to log: neither its message nor its own
 * properties contain codes, tokens, secrets, addresses or bodies. Errors of lower layers contain
 * all of these, so they are never its `cause`. Only an error of `mapProfile` is.
 */
export class OAuthFailure extends Error {
  readonly reason: FailureReason
  declare readonly step?: FailureStep
  /** HTTP status, for `http_error`, `redirected` and `provider_error`. */
  declare readonly status?: number
  /** A registered OAuth error, the name of a claim, or the code of a network error. */
  declare readonly detail?: string

  constructor(reason: FailureReason, { step, status, detail, cause }: FailureDetails = {}) {
    super(
      `sign-in failed: ${[reason, step && `at ${step}`, status, detail].filter(Boolean).join(' ')}`,
    )
    this.name = 'OAuthFailure'
    this.reason = reason
    if (step !== undefined) this.step = step
    if (status !== undefined) this.status = status
    if (detail !== undefined) this.detail = detail
    if (cause !== undefined) this.cause = cause
  }
}

/** Known error codes of servers. Any other `error` is free text of the server, and is dropped. */
const registeredErrors = new Set([
  // RFC 6749 and OpenID Connect Core.
  ...[
    'invalid_request',
    'invalid_client',
    'invalid_grant',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_scope',
  ],
  ...[
    'access_denied',
    'unsupported_response_type',
    'server_error',
    'temporarily_unavailable',
    'invalid_token',
  ],
  ...[
    'interaction_required',
    'login_required',
    'account_selection_required',
    'consent_required',
    'insufficient_scope',
  ],
  // Apple; GitHub.
  ...[
    'user_cancelled_authorize',
    'bad_verification_code',
    'incorrect_client_credentials',
    'redirect_uri_mismatch',
  ],
  ...['unverified_user_email', 'application_suspended'],
])

/** The error code, if it is safe to log. */
export const registeredError = (error: unknown): string | undefined =>
  typeof error === 'string' && registeredErrors.has(error) ? error : undefined

const declined = new Set(['access_denied', 'user_cancelled_authorize'])

/** The failure for an `error` in the callback. */
export const callbackFailure = (error: string): OAuthFailure =>
  new OAuthFailure(declined.has(error) ? 'declined' : 'provider_error', {
    detail: registeredError(error),
  })

/**
 * Settles like `promise`, or rejects with `timeout` if the signal aborts first. A later result or
 * rejection is ignored.
 */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(new OAuthFailure('timeout'))
    if (signal.aborted) expire()
    else signal.addEventListener('abort', expire, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', expire))
  })
}

/**
 * Runs one step and returns its result. An `OAuthFailure` without a step gets this one. Any other
 * error is dropped and replaced by the result of `otherwise`, by default `malformed`.
 */
export type TakeStep = <T>(
  step: FailureStep,
  start: () => T | Promise<T>,
  otherwise?: (error: unknown) => OAuthFailure,
) => Promise<T>

/** Runs steps that fail with `timeout` when the signal aborts, whatever they wait for. */
export const stepsUntil =
  (signal: AbortSignal): TakeStep =>
  async (step, start, otherwise = () => new OAuthFailure('malformed')) => {
    try {
      return await untilAborted((async () => start())(), signal)
    } catch (error) {
      const {
        reason,
        status,
        detail,
        cause,
        step: known,
      } = error instanceof OAuthFailure ? error : otherwise(error)
      throw new OAuthFailure(reason, { step: known ?? step, status, detail, cause })
    }
  }
