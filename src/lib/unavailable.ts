import { UnavailableError } from '../errors.js'

/**
 * Adds `Retry-After` (RFC 9110) to an error. Fastify's error handler sends `error.headers`.
 * @param seconds until the client may retry, rounded up to at least 1
 */
export function retryAfter<E extends { headers?: Record<string, string> }>(
  error: E,
  seconds: number,
): E {
  error.headers = { ...error.headers, 'retry-after': String(Math.max(1, Math.ceil(seconds))) }
  return error
}

/** The error for an outage of shared state or of the user store: 503, retry after one second. */
export const unavailableError = (cause?: unknown) => retryAfter(new UnavailableError({ cause }), 1)

/** Turns any rejection into a 503. */
export const orUnavailable = <T>(promise: Promise<T>): Promise<T> =>
  promise.catch((cause) =>
    Promise.reject(cause instanceof UnavailableError ? cause : unavailableError(cause)),
  )
