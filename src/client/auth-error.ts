import type { AuthErrorCode, AuthFailure } from './types.js'

/**
 * An error response.
 * @example
 * await auth.login(body).catch((error) => {
 *   if (error instanceof AuthError && error.code === 'CRUDAUTH_LOCKED_OUT') wait(error.retryAfter)
 *   else throw error
 * })
 */
export class AuthError extends Error implements AuthFailure {
  /** Null for a response that isn't the plugin's, such as the error page of a proxy. */
  readonly code: AuthErrorCode | null
  readonly status: number
  /** Seconds; null without `Retry-After`. */
  readonly retryAfter: number | null

  constructor(message: string, status: number, code: string | null, retryAfter: number | null) {
    super(message)
    this.name = 'AuthError'
    this.status = status
    this.code = code as AuthErrorCode | null
    this.retryAfter = retryAfter
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Reads a copy of the response, so that the caller can still read it. */
export async function errorOf(response: Response): Promise<AuthError> {
  const body = (await response
    .clone()
    .json()
    .catch(() => null)) as { code?: unknown; message?: unknown } | null
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new AuthError(
    text(body?.message) ?? `${response.status} ${response.statusText}`.trim(),
    response.status,
    text(body?.code),
    Number.isFinite(seconds) ? seconds : null,
  )
}
