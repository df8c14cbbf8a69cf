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

  constructor(
    message: string,
    status: number,
    code: string | null = null,
    retryAfter: number | null = null,
  ) {
    super(message)
    this.name = 'AuthError'
    this.status = status
    this.code = code as AuthErrorCode | null
    this.retryAfter = retryAfter
  }
}

/** The parsed body. Null if it isn't JSON. */
export const bodyOf = (response: Response): Promise<unknown> => response.json().catch(() => null)

export const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Reads a copy of the response, so that the caller can still read it. */
export async function errorOf(response: Response): Promise<AuthError> {
  const body = (await bodyOf(response.clone())) as { code?: unknown; message?: unknown } | null
  return new AuthError(
    text(body?.message) ?? `${response.status} ${response.statusText}`.trim(),
    response.status,
    text(body?.code),
    // Also null for a date.
    Number(response.headers.get('retry-after')) || null,
  )
}
